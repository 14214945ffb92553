package flink;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import workload.Answer;
import workload.KeyWindows;
import workload.Payment;

/** Finds the state of five keys in five map states on the heap, changes each in its place and emits (account, answer). */
final class DecideFunction extends KeyedProcessFunction<Integer, byte[], Tuple2<byte[], byte[]>> {
    private static final long serialVersionUID = 1L;
    private static final String[] KEYS = {"account", "card", "merchant", "device", "ip"};

    private transient Payment payment;
    private transient Answer answer;
    private transient MapState<String, KeyWindows>[] states;
    private transient Tuple2<byte[], byte[]> emitted;

    @Override
    @SuppressWarnings("unchecked")
    public void open(OpenContext context) {
        payment = new Payment();
        answer = new Answer();
        emitted = new Tuple2<>();
        states = new MapState[KEYS.length];
        for (int i = 0; i < KEYS.length; i++) {
            states[i] = getRuntimeContext().getMapState(
                    new MapStateDescriptor<>(KEYS[i], StringSerializer.INSTANCE, KeyWindowsSerializer.INSTANCE));
        }
    }

    @Override
    public void processElement(byte[] value, Context context, Collector<Tuple2<byte[], byte[]>> out) throws Exception {
        payment.read(value);
        for (int i = 0; i < KEYS.length; i++) {
            KeyWindows windows = windows(i);
            windows.fold(payment.tsUs, payment.amountMinor, answer.values, i * Answer.PER_KEY);
            if (i == Payment.ACCOUNT) {
                int merchant = payment.idStart[Payment.MERCHANT];
                answer.values[Answer.DISTINCT] =
                        windows.distinct(value, merchant, payment.idLength[Payment.MERCHANT], payment.tsUs);
            }
        }
        int account = payment.idStart[Payment.ACCOUNT];
        emitted.f0 = Arrays.copyOfRange(value, account, account + payment.idLength[Payment.ACCOUNT]);
        emitted.f1 = answer.bytes(payment);
        out.collect(emitted);
    }

    private KeyWindows windows(int i) throws Exception {
        String key = new String(payment.bytes, payment.idStart[i], payment.idLength[i], StandardCharsets.ISO_8859_1);
        KeyWindows windows = states[i].get(key);
        if (windows == null) {
            windows = new KeyWindows();
            states[i].put(key, windows);
        }
        return windows;
    }
}
