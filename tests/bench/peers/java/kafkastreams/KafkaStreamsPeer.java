package kafkastreams;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * Workload W on Kafka Streams: one processor with five logged key-value stores.
 *
 * <p>Arguments: BOOTSTRAP GROUP INPUT OUTPUT DIRECTORY memory|rocksdb [NAME=VALUE of a Streams setting]…
 */
public final class KafkaStreamsPeer {
    static final String[] STORES = {"account", "card", "merchant", "device", "ip"};
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(15);

    private KafkaStreamsPeer() {}

    public static void main(String[] arguments) throws InterruptedException {
        KafkaStreams streams = new KafkaStreams(topology(arguments[2], arguments[3], arguments[5]), settings(arguments));
        CountDownLatch failed = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(
                error -> {
                    error.printStackTrace();
                    failed.countDown();
                    return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
                });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSE_TIMEOUT)));
        streams.start();
        failed.await();
        System.exit(1);
    }

    private static Properties settings(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
        for (int i = 6; i < arguments.length; i++) {
            int split = arguments[i].indexOf('=');
            settings.put(arguments[i].substring(0, split), arguments[i].substring(split + 1));
        }
        return settings;
    }

    private static Topology topology(String source, String target, String kind) {
        Topology topology = new Topology();
        topology.addSource("payments", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), source);
        topology.addProcessor("decide", DecideProcessor::new, "payments");
        for (String name : STORES) {
            topology.addStateStore(store(name, kind), "decide");
        }
        topology.addSink("answers", target, Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "decide");
        return topology;
    }

    /** Cached and logged, as the stores of Streams' own language are. */
    private static StoreBuilder<KeyValueStore<Bytes, byte[]>> store(String name, String kind) {
        KeyValueBytesStoreSupplier place =
                kind.equals("memory") ? Stores.inMemoryKeyValueStore(name) : Stores.persistentKeyValueStore(name);
        return Stores.keyValueStoreBuilder(place, Serdes.Bytes(), Serdes.ByteArray()).withCachingEnabled();
    }
}
