package check;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import workload.Answer;
import workload.Bytes;
import workload.KeyWindows;
import workload.Payment;

/** For the test of what the peers in Java share: payments come on standard input, answers go to standard output, each after its length. */
public final class FoldValues {
    private FoldValues() {}

    public static void main(String[] arguments) throws IOException {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out));
        Map<String, byte[]> store = new HashMap<>();
        Payment payment = new Payment();
        Answer answer = new Answer();
        while (true) {
            byte[] value;
            try {
                value = new byte[in.readInt()];
            } catch (EOFException ended) {
                break;
            }
            in.readFully(value);
            payment.read(value);
            for (int i = 0; i < Payment.KEYS; i++) {
                String key = i + new String(value, payment.idStart[i], payment.idLength[i]);
                KeyWindows windows = kept(store.get(key));
                windows.fold(payment.tsUs, payment.amountMinor, answer.values, i * Answer.PER_KEY);
                if (i == Payment.ACCOUNT) {
                    int merchant = payment.idStart[Payment.MERCHANT];
                    answer.values[Answer.DISTINCT] = windows.distinct(value, merchant, payment.idLength[Payment.MERCHANT], payment.tsUs);
                }
                Bytes packed = new Bytes();
                windows.pack(packed);
                store.put(key, packed.copy());
            }
            byte[] bytes = answer.bytes(payment);
            out.writeInt(bytes.length);
            out.write(bytes);
        }
        out.flush();
    }

    /** Unpacked as Kafka Streams needs it, copied as Flink needs it. */
    private static KeyWindows kept(byte[] packed) {
        KeyWindows windows = new KeyWindows();
        if (packed == null) {
            return windows;
        }
        windows.unpack(new Bytes().over(packed));
        KeyWindows copy = new KeyWindows();
        copy.copyFrom(windows);
        return copy;
    }
}
