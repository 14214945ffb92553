package kafkastreams;

import java.util.Arrays;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import workload.Answer;
import workload.KeyWindows;
import workload.Payment;

/** Reads the state of five keys, folds the payment into each, writes them back and forwards the answer. */
final class DecideProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    private final Payment payment = new Payment();
    private final Answer answer = new Answer();
    private final KeyWindows windows = new KeyWindows();
    private final workload.Bytes packed = new workload.Bytes();
    private final workload.Bytes read = new workload.Bytes();
    @SuppressWarnings("unchecked")
    private final KeyValueStore<Bytes, byte[]>[] stores = new KeyValueStore[KafkaStreamsPeer.STORES.length];
    private ProcessorContext<byte[], byte[]> context;

    @Override
    public void init(ProcessorContext<byte[], byte[]> given) {
        context = given;
        for (int i = 0; i < stores.length; i++) {
            stores[i] = given.getStateStore(KafkaStreamsPeer.STORES[i]);
        }
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        payment.read(record.value());
        for (int i = 0; i < stores.length; i++) {
            int start = payment.idStart[i];
            Bytes key = Bytes.wrap(Arrays.copyOfRange(payment.bytes, start, start + payment.idLength[i]));
            byte[] state = stores[i].get(key);
            if (state == null) {
                windows.clear();
            } else {
                windows.unpack(read.over(state));
            }
            windows.fold(payment.tsUs, payment.amountMinor, answer.values, i * Answer.PER_KEY);
            if (i == Payment.ACCOUNT) {
                int merchant = payment.idStart[Payment.MERCHANT];
                answer.values[Answer.DISTINCT] =
                        windows.distinct(payment.bytes, merchant, payment.idLength[Payment.MERCHANT], payment.tsUs);
            }
            windows.pack(packed.clear());
            stores[i].put(key, packed.copy());
        }
        context.forward(record.withValue(answer.bytes(payment)));
    }
}
