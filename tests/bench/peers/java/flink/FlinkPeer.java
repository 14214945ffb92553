package flink;

import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Workload W on Flink in a local cluster: one operator with five map states on the heap.
 *
 * <p>Arguments: BOOTSTRAP GROUP INPUT OUTPUT DIRECTORY chained|shuffled [NAME=VALUE]…, where a name that begins with `source.` or
 * `sink.` is a setting of the Kafka client there, any other one of Flink's.
 */
public final class FlinkPeer {
    /** Exact counts over five keys want all payments of a partition in one place, so they share one key. */
    private static final Integer ONE_KEY = 0;

    private FlinkPeer() {}

    public static void main(String[] arguments) throws Exception {
        Properties source = new Properties();
        Properties sink = new Properties();
        Configuration flink = new Configuration();
        flink.setString("execution.checkpointing.dir", "file://" + arguments[4] + "/checkpoints");
        for (int i = 6; i < arguments.length; i++) {
            int split = arguments[i].indexOf('=');
            String name = arguments[i].substring(0, split);
            String value = arguments[i].substring(split + 1);
            if (name.startsWith("source.")) {
                source.setProperty(name.substring("source.".length()), value);
            } else if (name.startsWith("sink.")) {
                sink.setProperty(name.substring("sink.".length()), value);
            } else {
                flink.setString(name, value);
            }
        }
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(1, flink);
        DataStream<byte[]> payments =
                environment.fromSource(source(arguments, source), WatermarkStrategy.noWatermarks(), "payments");
        keyed(payments, arguments[5].equals("chained"))
                .process(new DecideFunction())
                .returns(Types.TUPLE(PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO))
                .sinkTo(sink(arguments, sink));
        environment.execute("workload-w");
    }

    private static KeyedStream<byte[], Integer> keyed(DataStream<byte[]> payments, boolean chained) {
        return chained
                ? DataStreamUtils.reinterpretAsKeyedStream(payments, payment -> ONE_KEY, Types.INT)
                : payments.keyBy(payment -> ONE_KEY, Types.INT);
    }

    private static KafkaSource<byte[]> source(String[] arguments, Properties settings) {
        return KafkaSource.<byte[]>builder()
                .setBootstrapServers(arguments[0])
                .setGroupId(arguments[1])
                .setTopics(arguments[2])
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setValueOnlyDeserializer(new RawBytes())
                .setProperties(settings)
                .build();
    }

    private static KafkaSink<Tuple2<byte[], byte[]>> sink(String[] arguments, Properties settings) {
        String target = arguments[3];
        KafkaRecordSerializationSchema<Tuple2<byte[], byte[]>> records =
                (answer, context, timestamp) -> new ProducerRecord<>(target, answer.f0, answer.f1);
        return KafkaSink.<Tuple2<byte[], byte[]>>builder()
                .setBootstrapServers(arguments[0])
                .setKafkaProducerConfig(settings)
                .setRecordSerializer(records)
                .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
                .build();
    }

    /** A record's value as it is. */
    private static final class RawBytes extends AbstractDeserializationSchema<byte[]> {
        private static final long serialVersionUID = 1L;

        RawBytes() {
            super(PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
        }

        @Override
        public byte[] deserialize(byte[] value) {
            return value;
        }
    }
}
