package diffusion.hub;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;

/** The body of an answer; a read that no bytes come for fails, where HttpClient's own would wait for ever. */
final class ImpatientStream extends FilterInputStream {
    private static final long NOT_READING = Long.MIN_VALUE;

    private final Duration patience;
    private final Thread watch;
    private final long begin = System.nanoTime();
    private volatile long readingSince = NOT_READING; // nanoseconds after the begin
    private volatile boolean stalled;

    ImpatientStream(InputStream in, Duration patience) {
        super(in);
        this.patience = patience;
        watch = Thread.ofVirtual().start(this::watch);
    }

    private long now() {
        return System.nanoTime() - begin;
    }

    private void watch() {
        try {
            while (true) {
                Thread.sleep(patience.dividedBy(4));
                long since = readingSince;
                if (since != NOT_READING && now() - since > patience.toNanos()) {
                    stalled = true;
                    in.close(); // which ends the read
                    return;
                }
            }
        } catch (InterruptedException | IOException e) {
            // closed, or the read fails by itself
        }
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] to, int from, int length) throws IOException {
        readingSince = now();
        try {
            int n = in.read(to, from, length);
            requireBytes(null);
            return n;
        } catch (IOException e) {
            requireBytes(e);
            throw e;
        } finally {
            readingSince = NOT_READING;
        }
    }

    private void requireBytes(@org.jspecify.annotations.Nullable IOException cause) throws IOException {
        if (stalled) {
            throw new IOException("no bytes came for " + patience.toSeconds() + " s", cause);
        }
    }

    @Override
    public void close() throws IOException {
        watch.interrupt();
        super.close();
    }
}
