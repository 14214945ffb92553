package workload;

import java.nio.charset.StandardCharsets;

/** What an event is answered with: its id, the 36 values, the score of the six rules and the outcome, as an Avro record. */
public final class Answer {
    public static final int PER_KEY = 7;
    public static final int DISTINCT = Payment.KEYS * PER_KEY;
    private static final byte[] ALLOW = "ALLOW".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] STEP_UP = "STEP_UP".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] REVIEW = "QUEUE_REVIEW".getBytes(StandardCharsets.US_ASCII);

    /** Seven per key in the order of the keys, and the distinct merchants. */
    public final long[] values = new long[DISTINCT + 1];
    private final Bytes out = new Bytes();

    public byte[] bytes(Payment payment) {
        out.clear();
        out.putZigzag(payment.eventIdLength);
        out.put(payment.bytes, payment.eventIdStart, payment.eventIdLength);
        out.putZigzag(values.length);
        for (long value : values) {
            out.putZigzag(value);
        }
        out.putZigzag(0); // no further block of values
        long score = score(payment.amountMinor);
        out.putZigzag(score);
        byte[] outcome = score >= 60 ? REVIEW : score >= 30 ? STEP_UP : ALLOW;
        out.putZigzag(outcome.length);
        out.put(outcome, 0, outcome.length);
        return out.copy();
    }

    private long score(long amount) {
        int card = PER_KEY;
        int device = 3 * PER_KEY;
        int ip = 4 * PER_KEY;
        long points = 0;
        points += values[card] >= 6 ? 30 : 0;
        points += values[card + 1] > 200_000 ? 25 : 0;
        points += values[DISTINCT] >= 8 ? 20 : 0;
        points += values[device + 6] == -1 ? 10 : 0;
        points += values[5] > 0 && (double) amount * (double) values[4] > 5.0 * (double) values[5] ? 25 : 0;
        points += values[ip] > 40 ? 15 : 0;
        return points;
    }
}
