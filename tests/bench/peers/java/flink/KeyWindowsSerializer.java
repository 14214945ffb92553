package flink;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import workload.Bytes;
import workload.KeyWindows;

/** Packs a key's windows by hand. The heap backend asks for a copy when a checkpoint still needs what is about to be changed. */
public final class KeyWindowsSerializer extends TypeSerializerSingleton<KeyWindows> {
    private static final long serialVersionUID = 1L;
    static final KeyWindowsSerializer INSTANCE = new KeyWindowsSerializer();
    // checkpoints are written by a thread of their own
    private static final ThreadLocal<Bytes> PACKED = ThreadLocal.withInitial(Bytes::new);

    @Override
    public boolean isImmutableType() {
        return false;
    }

    @Override
    public KeyWindows createInstance() {
        return new KeyWindows();
    }

    @Override
    public KeyWindows copy(KeyWindows from) {
        return copy(from, new KeyWindows());
    }

    @Override
    public KeyWindows copy(KeyWindows from, KeyWindows reuse) {
        reuse.copyFrom(from);
        return reuse;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(KeyWindows windows, DataOutputView target) throws IOException {
        Bytes packed = PACKED.get().clear();
        windows.pack(packed);
        target.writeInt(packed.at);
        target.write(packed.data, 0, packed.at);
    }

    @Override
    public KeyWindows deserialize(DataInputView source) throws IOException {
        return deserialize(new KeyWindows(), source);
    }

    @Override
    public KeyWindows deserialize(KeyWindows reuse, DataInputView source) throws IOException {
        byte[] packed = new byte[source.readInt()];
        source.readFully(packed);
        reuse.unpack(new Bytes().over(packed));
        return reuse;
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        int length = source.readInt();
        target.writeInt(length);
        target.write(source, length);
    }

    @Override
    public TypeSerializerSnapshot<KeyWindows> snapshotConfiguration() {
        return new Snapshot();
    }

    /** There has been one form only. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<KeyWindows> {
        public Snapshot() {
            super(() -> INSTANCE);
        }
    }
}
