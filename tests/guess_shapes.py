"""Some rows in the shapes of public data sets of payments: their headers and forms of values, as their documentation gives them."""

from __future__ import annotations

from typing import Any, NamedTuple


class GuessShape(NamedTuple):
    """A file, the answers to what it does not tell, the parts of the mapping that the guess has to find, and the frauds of its rows."""

    text: str
    answers: dict[str, Any]
    found: dict[str, Any]
    frauds: int


def _rows(header: str, *rows: str) -> str:
    return "\n".join([header, *rows]) + "\n"


_IEEE = (
    "TransactionID,isFraud,TransactionDT,TransactionAmt,ProductCD,card1,card2,card3,card4,card5,card6,addr1,addr2,dist1,dist2,"
    "P_emaildomain,R_emaildomain,"
    + ",".join([f"C{n}" for n in range(1, 15)] + [f"D{n}" for n in range(1, 16)] + [f"M{n}" for n in range(1, 10)])
    + ","
    + ",".join(f"V{n}" for n in range(1, 340))
)


def _ieee(number: int, fraud: int, amount: str, product: str, card: int) -> str:
    head = (
        f"{2987000 + number},{fraud},{86400 + 7 * number},{amount},{product},{card},{'' if number % 3 else '404.0'},150.0,visa,166.0,debit,"
    )
    place = "315.0,87.0,19.0,,gmail.com,"
    counts = ",".join(f"{number % 4}.0" for _ in range(14)) + "," + ",".join("14.0" if number % 2 else "" for _ in range(15))
    return f"{head}{place},{counts},T,T,T,M0,F,F,T,F,," + ",".join("1.0" if number % 5 else "" for _ in range(339))


_BAF = (
    "fraud_bool,income,name_email_similarity,prev_address_months_count,current_address_months_count,customer_age,days_since_request,"
    "intended_balcon_amount,payment_type,zip_count_4w,velocity_6h,velocity_24h,velocity_4w,bank_branch_count_8w,"
    "date_of_birth_distinct_emails_4w,employment_status,credit_risk_score,email_is_free,housing_status,phone_home_valid,phone_mobile_valid,"
    "bank_months_count,has_other_cards,proposed_credit_limit,foreign_request,source,session_length_in_minutes,device_os,keep_alive_session,"
    "device_distinct_emails_8w,device_fraud_count,month"
)


def _baf(number: int, fraud: int) -> str:
    return (
        f"{fraud},0.{number % 9 + 1},0.16{number}82,-1,{number * 3},{20 + number % 5 * 10},0.02{number}5,{number * 10 - 50}.4537{number}1,"
        f"A{'ABC'[number % 3]},769,1065{number}.955,5134.2,3134.3,{number % 6},6,"
        f"C{'AB'[number % 2]},{100 + number},{number % 2},BA,1,1,9,0,"
        f"{'1500.0' if number % 2 else '200.0'},0,INTERNET,16.22{number},linux,1,1,0,{number // 2}"
    )


SHAPES = {
    "paysim": GuessShape(
        _rows(
            "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,newbalanceDest,isFraud,isFlaggedFraud",
            "1,PAYMENT,9839.64,C1231006815,170136.0,160296.36,M1979787155,0.0,0.0,0,0",
            "1,PAYMENT,1864.28,C1666544295,21249.0,19384.72,M2044282225,0.0,0.0,0,0",
            "1,TRANSFER,181.0,C1305486145,181.0,0.0,C553264065,0.0,0.0,1,0",
            "1,CASH_OUT,181.0,C840083671,181.0,0.0,C38997010,21182.0,0.0,1,0",
            "2,DEBIT,5337.77,C712410124,41720.0,36382.23,C195600860,41898.0,40348.79,0,0",
            "2,CASH_IN,229133.94,C905080434,15325.0,244458.94,C553264065,5083.0,51513.44,0,0",
            "3,PAYMENT,11668.14,C2048537720,41554.0,29885.86,M1230701703,0.0,0.0,0,0",
        ),
        {"time.unit": "h", "time.origin": "2024-01-01T00:00:00Z", "currency.constant": "USD", "truth.delay": "7d"},
        {
            "id": {"row": True},
            "time": {"column": "step", "unit": "h", "origin": "2024-01-01T00:00:00Z"},
            "amount": {"column": "amount"},
            "entities": {"payer": "nameOrig", "payee": "nameDest"},
            "kind": {"column": "type"},
            "truth": {"column": "isFraud", "positive": [1], "delay": "7d", "also": ["isFlaggedFraud"]},
            "attributes": ["oldbalanceOrg", "newbalanceOrig", "oldbalanceDest", "newbalanceDest"],
        },
        2,
    ),
    "creditcard": GuessShape(
        _rows(
            '"Time",' + ",".join(f'"V{n}"' for n in range(1, 29)) + ',"Amount","Class"',
            *(f'{n * 0.5:g},{",".join(f"-{n}.35{v}8" for v in range(28))},{149 + n}.62,"{int(n == 3)}"' for n in range(6)),
        ),
        {"time.unit": "s", "time.origin": "2013-09-01T00:00:00Z", "currency.constant": "EUR", "truth.delay": "7d"},
        {
            "id": {"row": True},
            "time": {"column": "Time", "unit": "s", "origin": "2013-09-01T00:00:00Z"},
            "amount": {"column": "Amount"},
            "entities": None,
            "kind": {"constant": "payment"},
            "attributes": [{"pattern": "V*"}],
            "truth": {"column": "Class", "positive": [1], "delay": "7d"},
        },
        1,
    ),
    "ieee": GuessShape(
        _rows(_IEEE, *(_ieee(n, int(n == 4), f"{68 + n}.5", "WHCR"[n % 4], 13926 + n % 5) for n in range(12))),
        {"time.unit": "s", "time.origin": "2017-12-01T00:00:00Z", "currency.constant": "USD", "truth.delay": "30d"},
        {
            "id": "TransactionID",
            "time": {"column": "TransactionDT", "unit": "s", "origin": "2017-12-01T00:00:00Z"},
            "amount": {"column": "TransactionAmt"},
            "entities": {"card": "card1"},
            "kind": {"column": "ProductCD"},
            "truth": {"column": "isFraud", "positive": [1], "delay": "30d"},
        },
        1,
    ),
    "sparkov": GuessShape(
        _rows(
            ",trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender,street,city,state,zip,lat,long,city_pop,job,dob,trans_num,"
            "unix_time,merch_lat,merch_long,is_fraud",
            '0,2019-01-01 00:00:18,2703186189652095,"fraud_Rippin, Kub and Mann",misc_net,4.97,'
            "Jennifer,Banks,F,561 Perry Cove,Moravian Falls,"
            'NC,28654,36.0788,-81.1781,3495,"Psychologist, counselling",1988-03-09,0b242abb623afc578575680df30655b9,1325376018,36.011293,'
            "-82.048315,0",
            '1,2019-01-01 00:00:44,630423337322,"fraud_Heller, Gutmann and Zieme",grocery_pos,'
            "107.23,Stephanie,Gill,F,43039 Riley Greens,Orient,"
            "WA,99160,48.8878,-118.2105,149,Special educational needs teacher,1978-06-21,1f76529f8574734946361c461b024d99,1325376044,"
            "49.159047,-118.186462,1",
            '2,2019-01-01 00:00:51,2703186189652095,"fraud_Rippin, Kub and Mann",misc_net,220.11,'
            "Jennifer,Banks,F,561 Perry Cove,Moravian Falls,"
            'NC,28654,36.0788,-81.1781,3495,"Psychologist, counselling",1988-03-09,a1a22d70485983eac12b5b88dad1cf95,1325376051,43.150704,'
            "-112.154481,0",
        ),
        {"time.zone": "UTC", "currency.constant": "USD", "truth.delay": "7d"},
        {
            "id": "trans_num",
            "time": {"column": "trans_date_trans_time", "zone": "UTC"},
            "amount": {"column": "amt"},
            "entities": {"card": "cc_num", "merchant": "merchant"},
            "kind": {"column": "category"},
            "truth": {"column": "is_fraud", "positive": [1], "delay": "7d"},
        },
        1,
    ),
    "banksim": GuessShape(
        _rows(
            "step,customer,age,gender,zipcodeOri,merchant,zipMerchant,category,amount,fraud",
            "0,'C1093826151','4','M','28007','M348934600','28007','es_transportation',4.55,0",
            "0,'C352968107','2','M','28007','M348934600','28007','es_transportation',39.68,0",
            "0,'C2054744914','4','F','28007','M1823072687','28007','es_transportation',26.89,0",
            "1,'C1093826151','4','M','28007','M50039827','28007','es_health',68.79,1",
            "1,'C352968107','2','M','28007','M348934600','28007','es_transportation',12.5,0",
        ),
        {"time.unit": "d", "time.origin": "2012-11-01T00:00:00Z", "currency.constant": "EUR", "truth.delay": "7d"},
        {
            "id": {"row": True},
            "time": {"column": "step", "unit": "d", "origin": "2012-11-01T00:00:00Z"},
            "amount": {"column": "amount"},
            "entities": {"customer": "customer", "merchant": "merchant"},
            "kind": {"column": "category"},
            "truth": {"column": "fraud", "positive": [1], "delay": "7d"},
            "csv": {"quote": "'"},
        },
        1,
    ),
    "tabformer": GuessShape(
        _rows(
            "User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name,Merchant City,Merchant State,Zip,MCC,Errors?,Is Fraud?",
            "0,0,2002,9,1,06:21,$134.09,Swipe Transaction,3527213246127876953,La Verne,CA,91750.0,5300,,No",
            "0,0,2002,9,1,06:42,$38.48,Swipe Transaction,-727612092139916043,Monterey Park,CA,91754.0,5411,,No",
            "0,1,2002,9,2,06:22,$120.34,Swipe Transaction,-727612092139916043,Monterey Park,CA,91754.0,5411,,No",
            '1,0,2002,9,2,17:45,$-77.00,Online Transaction,5817218446178736267,ONLINE,,,4900,"Bad PIN,Technical Glitch",No',
            "1,1,2002,9,3,06:23,$58.09,Chip Transaction,-5475680618560174533,Monterey Park,CA,91755.0,5942,,Yes",
            "2,0,2002,9,4,06:27,$86.05,Online Transaction,3527213246127876953,ONLINE,,,5300,,No",
        ),
        {"time.zone": "America/New_York", "amount.sign": "any", "currency.constant": "USD", "truth.delay": "7d"},
        {
            "id": {"row": True},
            "time": {"columns": ["Year", "Month", "Day", "Time"], "format": "%Y %m %d %H:%M", "zone": "America/New_York"},
            "amount": {"column": "Amount", "symbol": "$", "sign": "any"},
            "entities": {"customer": "User", "merchant": "Merchant Name"},
            "kind": {"column": "Use Chip"},
            "truth": {"column": "Is Fraud?", "positive": ["Yes"], "delay": "7d"},
        },
        1,
    ),
    "baf": GuessShape(
        _rows(_BAF, *(_baf(n, int(n == 2)) for n in range(9))),
        {"time.origin": "2024-01-01T00:00:00Z", "amount.column": "proposed_credit_limit", "currency.constant": "USD", "truth.delay": "30d"},
        {
            "id": {"row": True},
            "time": {"column": "month", "unit": "month", "origin": "2024-01-01T00:00:00Z"},
            "amount": {"column": "proposed_credit_limit"},
            "kind": {"column": "payment_type"},
            "truth": {"column": "fraud_bool", "positive": [1], "delay": "30d", "also": ["device_fraud_count"]},
        },
        1,
    ),
}
