package workload;

import java.util.Arrays;

/** Bytes that are written one after another and read again: plain and zigzag numbers of variable length, runs of bytes. */
public final class Bytes {
    public byte[] data = new byte[4096];
    public int at;

    /** Begin to write. */
    public Bytes clear() {
        at = 0;
        return this;
    }

    /** Begin to read. */
    public Bytes over(byte[] bytes) {
        data = bytes;
        at = 0;
        return this;
    }

    public byte[] copy() {
        return Arrays.copyOf(data, at);
    }

    /** A number that is not negative. */
    public void put(long value) {
        room(10);
        while ((value & ~0x7FL) != 0) {
            data[at++] = (byte) (value | 0x80);
            value >>>= 7;
        }
        data[at++] = (byte) value;
    }

    /** A number as Avro writes it. */
    public void putZigzag(long value) {
        put(value << 1 ^ value >> 63);
    }

    public void put(byte[] from, int start, int length) {
        room(length);
        System.arraycopy(from, start, data, at, length);
        at += length;
    }

    public long get() {
        byte one = data[at++];
        long value = one & 0x7F;
        for (int shift = 7; one < 0; shift += 7) {
            one = data[at++];
            value |= (long) (one & 0x7F) << shift;
        }
        return value;
    }

    public byte[] get(int length) {
        at += length;
        return Arrays.copyOfRange(data, at - length, at);
    }

    private void room(int more) {
        if (at + more > data.length) {
            data = Arrays.copyOf(data, Math.max(2 * data.length, at + more));
        }
    }
}
