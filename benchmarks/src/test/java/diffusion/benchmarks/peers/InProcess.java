package diffusion.benchmarks.peers;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** A {@link Worker} on a thread that looks like a process. */
final class InProcess extends Process {
    private final PipedOutputStream requests = new PipedOutputStream();
    private final PipedInputStream answers = new PipedInputStream();
    private final Thread thread;

    InProcess(Engine engine, int threads) throws IOException {
        PipedInputStream in = new PipedInputStream(requests);
        PrintStream out = new PrintStream(new PipedOutputStream(answers), true, StandardCharsets.UTF_8);
        thread = Thread.ofPlatform().start(() -> {
            try (out) {
                out.println("a library says hello");
                new Worker(engine, threads).serve(new InputStreamReader(in, StandardCharsets.UTF_8), out);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    @Override
    public OutputStream getOutputStream() {
        return requests;
    }

    @Override
    public InputStream getInputStream() {
        return answers;
    }

    @Override
    public InputStream getErrorStream() {
        return InputStream.nullInputStream();
    }

    @Override
    public int waitFor() throws InterruptedException {
        thread.join();
        return 0;
    }

    @Override
    public int exitValue() {
        if (thread.isAlive()) {
            throw new IllegalThreadStateException();
        }
        return 0;
    }

    @Override
    public void destroy() {
        thread.interrupt();
    }
}
