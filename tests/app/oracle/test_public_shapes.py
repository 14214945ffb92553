"""Rows in the shapes of public data sets of payments, as their files have them, and the mapping that reads each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from small_worlds import NOW_US

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import parse_mapping
from assay.app.stores.objects import DirectoryStore
from assay.contracts import instants


class Shape(NamedTuple):
    """A file and its mapping; the ids, amounts in minor units and frauds of its rows, and the time of the first."""

    text: str
    mapping: str
    ids: list[str]
    amounts: list[int]
    frauds: int
    first: str


SHAPES = {
    "paysim": Shape(
        "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,newbalanceDest,isFraud,isFlaggedFraud\n"
        "1,PAYMENT,9839.64,C1231006815,170136.0,160296.36,M1979787155,0.0,0.0,0,0\n"
        "1,TRANSFER,181.0,C1305486145,181.0,0.0,C553264065,0.0,0.0,1,0\n",
        """
        id: {row: true}
        time: {column: step, unit: h, origin: 2024-01-01T00:00:00Z}
        amount: {column: amount}
        entities: {account: nameOrig, party: nameDest}
        kind: {column: type}
        truth: {column: isFraud, positive: [1], delay: 7d, also: [isFlaggedFraud]}
        """,
        ["1", "2"], [983964, 18100], 1, "2024-01-01T01:00:00.000000Z",
    ),
    "creditcard": Shape(
        '"Time","V1","Amount","Class"\n0,-1.3598,149.62,"0"\n0.5,1.1918,2.69,"1"\n',
        """
        id: {row: true}
        time: {column: Time, unit: s, origin: 2013-09-01T00:00:00Z}
        amount: {column: Amount}
        kind: {constant: card}
        attributes: [V1]
        truth: {column: Class, positive: [1], delay: 7d}
        """,
        ["1", "2"], [14962, 269], 1, "2013-09-01T00:00:00.000000Z",
    ),
    "tabformer": Shape(
        "User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name,Merchant City,Merchant State,Zip,MCC,Errors?,Is Fraud?\n"
        "0,0,2002,9,1,06:21,$134.09,Swipe Transaction,3527213246127876953,La Verne,CA,91750.0,5300,,No\n"
        '0,1,2002,9,1,06:42,$-38.48,Online Transaction,-727612092139916043,ONLINE,,,5411,"Bad PIN,Technical Glitch",Yes\n',
        """
        id: {row: true}
        time: {columns: [Year, Month, Day, Time], format: "%Y %m %d %H:%M", zone: America/New_York}
        amount: {column: Amount, symbol: $, sign: any}
        entities: {customer: User, terminal: Merchant Name}
        kind: {column: Use Chip}
        attributes: [MCC, "Errors?"]
        truth: {column: "Is Fraud?", positive: [Yes], delay: 7d}
        """,
        ["1", "2"], [13409, 3848], 1, "2002-09-01T10:21:00.000000Z",
    ),
    "banksim": Shape(
        "step,customer,age,gender,zipcodeOri,merchant,zipMerchant,category,amount,fraud\n"
        "0,'C1093826151','4','M','28007','M348934600','28007','es_transportation',4.55,0\n"
        "0,'C352968107','2','M','28007','M348934600','28007','es_transportation',39.68,1\n",
        """
        id: {row: true}
        time: {column: step, unit: d, origin: 2012-11-01T00:00:00Z}
        amount: {column: amount}
        entities: {customer: customer, terminal: merchant}
        kind: {column: category}
        truth: {column: fraud, positive: [1], delay: 7d}
        csv: {quote: "'"}
        """,
        ["1", "2"], [455, 3968], 1, "2012-11-01T00:00:00.000000Z",
    ),
    "sparkov": Shape(
        ",trans_date_trans_time,cc_num,merchant,category,amt,first,trans_num,unix_time,is_fraud\n"
        '0,2019-01-01 00:00:18,2703186189652095,"Rippin, Kub and Mann",misc,4.97,Jennifer,0b242abb623afc578575680df30655b9,1325376018,0\n'
        "1,2019-01-01 00:00:44,630423337322,fraud_Heller,grocery_pos,107.23,Stephanie,1f76529f8574734946361c461b024d99,1325376044,1\n",
        """
        id: trans_num
        time: {column: trans_date_trans_time, zone: UTC}
        amount: {column: amt}
        entities: {customer: cc_num, terminal: merchant}
        kind: {column: category}
        truth: {column: is_fraud, positive: [1], delay: 7d}
        """,
        ["0b242abb623afc578575680df30655b9", "1f76529f8574734946361c461b024d99"], [497, 10723], 1, "2019-01-01T00:00:18.000000Z",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_public_shape_is_read(tmp_path: Path, name: str) -> None:
    shape = SHAPES[name]
    document: dict[str, Any] = {"mapping": name, "revision": "1", "output_id": name, "currency": {"constant": "USD"}}
    mapping = parse_mapping(yaml.safe_dump(document) + "\n".join(line.strip() for line in shape.mapping.splitlines()), name)
    (tmp_path / "in.csv").write_text(shape.text, encoding="utf-8")
    world = import_world(tmp_path / "in.csv", mapping, DirectoryStore(tmp_path / "store"), NOW_US)
    view = world.stream_part(world.manifest.stream_view[0]).sort("source_id")
    assert view["source_id"].to_list() == shape.ids
    assert view["amount_minor"].to_list() == shape.amounts
    assert instants.text(world.manifest.min_ts_us) == shape.first
    assert world.manifest.truth_summary is not None
    assert world.manifest.truth_summary.positives == shape.frauds
