package workload;

/** One payment of the bus, read from its Avro single-object bytes by hand: only what the workload needs, and ids as places in the bytes. */
public final class Payment {
    /** The order in which the keys' values stand in an answer: account, card, merchant, device, ip. */
    public static final int KEYS = 5;
    public static final int ACCOUNT = 0;
    public static final int MERCHANT = 2;
    private static final int HEADER_BYTES = 10;

    public byte[] bytes;
    public int eventIdStart;
    public int eventIdLength;
    public long tsUs;
    public long amountMinor;
    public final int[] idStart = new int[KEYS];
    public final int[] idLength = new int[KEYS];
    private int at;

    /** Read one value; the object is used again for the next one. */
    public void read(byte[] value) {
        bytes = value;
        at = HEADER_BYTES;
        eventIdLength = length();
        eventIdStart = skip(eventIdLength);
        skip(length()); // event_type
        tsUs = number();
        skip(length()); // platform_run_id
        skip(16 + 32 + 32); // scenario_run_id, manifest_fingerprint, parameter_hash
        skip(length()); // scenario_id
        number(); // seed
        skip(16); // run_id
        skip(length()); // producer
        skip(32); // payload_hash
        skip(length()); // kind
        amountMinor = number();
        skip(length()); // currency
        entities();
    }

    private void entities() {
        for (long items = number(); items != 0; items = number()) {
            if (items < 0) { // a negative count is followed by the block's size
                items = -items;
                number();
            }
            for (; items > 0; items--) {
                int nameLength = length();
                int key = keyOf(bytes[skip(nameLength)]);
                int idLengthHere = length();
                int start = skip(idLengthHere);
                if (key >= 0) {
                    idStart[key] = start;
                    idLength[key] = idLengthHere;
                }
            }
        }
    }

    /** The five names begin with five letters. */
    private static int keyOf(byte first) {
        switch (first) {
            case 'a':
                return ACCOUNT;
            case 'c':
                return 1;
            case 'm':
                return MERCHANT;
            case 'd':
                return 3;
            case 'i':
                return 4;
            default:
                return -1;
        }
    }

    private int length() {
        return (int) number();
    }

    private int skip(int count) {
        int start = at;
        at += count;
        return start;
    }

    private long number() {
        byte one = bytes[at++];
        long value = one & 0x7F;
        for (int shift = 7; one < 0; shift += 7) {
            one = bytes[at++];
            value |= (long) (one & 0x7F) << shift;
        }
        return value >>> 1 ^ -(value & 1);
    }
}
