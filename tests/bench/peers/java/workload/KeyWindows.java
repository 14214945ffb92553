package workload;

import java.util.Arrays;

/**
 * What is kept of one key: count and sum over 1 h, 24 h and 7 d as rings of buckets with running totals, the latest time, and of an
 * account the merchants of 24 h with the hour each was last paid. One array, because its cache lines are most of the cost.
 */
public final class KeyWindows {
    private static final long[] WIDTH_US = {300_000_000L, 3_600_000_000L, 21_600_000_000L};
    private static final int[] BUCKETS = {12, 24, 28};
    private static final int[] FIRST_CELL = {0, 12, 36};
    private static final int DAY = 1;
    private static final int WINDOWS = 3;
    private static final int CELLS = 64;
    private static final long NEVER = Long.MIN_VALUE;
    // places in the array: latest time, one bit per cell that is not empty, newest bucket per window, totals and cells as count and sum
    private static final int LAST = 0;
    private static final int FILLED = 1;
    private static final int NEWEST = 2;
    private static final int TOTALS = NEWEST + WINDOWS;
    private static final int FIRST = TOTALS + 2 * WINDOWS;

    private final long[] held = new long[FIRST + 2 * CELLS];
    private byte[][] merchants = new byte[0][];
    private long[] lastHour = new long[0];
    private int merchantCount;
    private long prunedAt = NEVER;

    public KeyWindows() {
        clear();
    }

    /** The seven values of the key before the payment go to `values` from `at` on; then the payment is added. */
    public void fold(long tsUs, long amount, long[] values, int at) {
        for (int w = 0; w < WINDOWS; w++) {
            long bucket = Math.floorDiv(tsUs, WIDTH_US[w]);
            if (bucket > held[NEWEST + w]) {
                advance(w, bucket);
            }
            int total = TOTALS + 2 * w;
            values[at + 2 * w] = held[total];
            values[at + 2 * w + 1] = held[total + 1];
            if (bucket > held[NEWEST + w] - BUCKETS[w]) {
                int cell = cellOf(w, bucket);
                held[FIRST + 2 * cell]++;
                held[FIRST + 2 * cell + 1] += amount;
                held[total]++;
                held[total + 1] += amount;
                held[FILLED] |= 1L << cell;
            }
        }
        values[at + 6] = held[LAST] == NEVER ? -1 : Math.max(tsUs - held[LAST], 0);
        held[LAST] = Math.max(held[LAST], tsUs);
    }

    /** Merchants the account paid in 24 h before the payment; then its merchant is noted. To be called after `fold`. */
    public long distinct(byte[] bytes, int start, int length, long tsUs) {
        long newest = held[NEWEST + DAY];
        if (newest != prunedAt) {
            prune(newest);
        }
        long found = merchantCount;
        long hour = Math.floorDiv(tsUs, WIDTH_US[DAY]);
        if (hour > newest - BUCKETS[DAY]) {
            note(bytes, start, length, hour);
        }
        return found;
    }

    private void advance(int w, long bucket) {
        long mask = (1L << BUCKETS[w]) - 1 << FIRST_CELL[w];
        if ((held[FILLED] & mask) != 0) {
            long steps = Math.min(bucket - held[NEWEST + w], BUCKETS[w]);
            for (long i = 1; i <= steps; i++) {
                int cell = cellOf(w, held[NEWEST + w] + i);
                if ((held[FILLED] >>> cell & 1) != 0) {
                    empty(w, cell);
                }
            }
        }
        held[NEWEST + w] = bucket;
    }

    private void empty(int w, int cell) {
        held[TOTALS + 2 * w] -= held[FIRST + 2 * cell];
        held[TOTALS + 2 * w + 1] -= held[FIRST + 2 * cell + 1];
        held[FIRST + 2 * cell] = 0;
        held[FIRST + 2 * cell + 1] = 0;
        held[FILLED] &= ~(1L << cell);
    }

    private static int cellOf(int w, long bucket) {
        return FIRST_CELL[w] + (int) Math.floorMod(bucket, (long) BUCKETS[w]);
    }

    private void prune(long newest) {
        int kept = 0;
        for (int i = 0; i < merchantCount; i++) {
            if (lastHour[i] > newest - BUCKETS[DAY]) {
                merchants[kept] = merchants[i];
                lastHour[kept++] = lastHour[i];
            }
        }
        Arrays.fill(merchants, kept, merchantCount, null);
        merchantCount = kept;
        prunedAt = newest;
    }

    private void note(byte[] bytes, int start, int length, long hour) {
        for (int i = 0; i < merchantCount; i++) {
            byte[] known = merchants[i];
            // the last byte first: ids of merchants have a common beginning
            if (known.length == length
                    && known[length - 1] == bytes[start + length - 1]
                    && Arrays.equals(known, 0, length, bytes, start, start + length)) {
                lastHour[i] = Math.max(lastHour[i], hour);
                return;
            }
        }
        room(merchantCount + 1);
        merchants[merchantCount] = Arrays.copyOfRange(bytes, start, start + length);
        lastHour[merchantCount++] = hour;
    }

    private void room(int count) {
        if (count > merchants.length) {
            merchants = Arrays.copyOf(merchants, Math.max(4, 2 * count));
            lastHour = Arrays.copyOf(lastHour, merchants.length);
        }
    }

    /** Forget everything. */
    public void clear() {
        Arrays.fill(held, 0);
        held[LAST] = NEVER;
        Arrays.fill(held, NEWEST, NEWEST + WINDOWS, NEVER);
        Arrays.fill(merchants, 0, merchantCount, null);
        merchantCount = 0;
        prunedAt = NEVER;
    }

    /** Be what another is. */
    public void copyFrom(KeyWindows other) {
        System.arraycopy(other.held, 0, held, 0, held.length);
        merchants = Arrays.copyOf(other.merchants, other.merchants.length);
        lastHour = Arrays.copyOf(other.lastHour, other.lastHour.length);
        merchantCount = other.merchantCount;
        prunedAt = other.prunedAt;
    }

    /** Only cells that are not empty are written: a seldom key takes some dozens of bytes instead of eleven hundred. */
    public void pack(Bytes to) {
        to.put(held[LAST]);
        to.put(held[FILLED]);
        for (int w = 0; w < WINDOWS; w++) {
            to.put(held[NEWEST + w]);
        }
        for (long left = held[FILLED]; left != 0; left &= left - 1) {
            int cell = FIRST + 2 * Long.numberOfTrailingZeros(left);
            to.put(held[cell]);
            to.put(held[cell + 1]);
        }
        to.put(merchantCount);
        for (int i = 0; i < merchantCount; i++) {
            to.put(lastHour[i]);
            to.put(merchants[i].length);
            to.put(merchants[i], 0, merchants[i].length);
        }
    }

    public void unpack(Bytes from) {
        clear();
        held[LAST] = from.get();
        held[FILLED] = from.get();
        for (int w = 0; w < WINDOWS; w++) {
            held[NEWEST + w] = from.get();
        }
        for (long left = held[FILLED]; left != 0; left &= left - 1) {
            int number = Long.numberOfTrailingZeros(left);
            int total = TOTALS + 2 * (number < FIRST_CELL[1] ? 0 : number < FIRST_CELL[2] ? 1 : 2);
            int cell = FIRST + 2 * number;
            held[total] += held[cell] = from.get();
            held[total + 1] += held[cell + 1] = from.get();
        }
        merchantCount = (int) from.get();
        room(merchantCount);
        for (int i = 0; i < merchantCount; i++) {
            lastHour[i] = from.get();
            merchants[i] = from.get((int) from.get());
        }
        prunedAt = held[NEWEST + DAY];
    }
}
