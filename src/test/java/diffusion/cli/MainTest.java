package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** What a user sees of failures that are no exceptions. */
class MainTest {
    @Command
    private record Failing(Error error) implements Runnable {
        @Override
        public void run() {
            throw error;
        }
    }

    private static String failure(Error error, String... args) {
        Main main = new Main();
        StringWriter err = new StringWriter();
        CommandLine line =
                new CommandLine(main).addSubcommand("fail", new Failing(error)).setErr(new PrintWriter(err));
        assertThat(Main.run(line, main, args)).isEqualTo(1);
        return err.toString();
    }

    @Test
    void wantOfMemoryIsOneLine() {
        assertThat(failure(new OutOfMemoryError("Java heap space"), "fail"))
                .startsWith("diffusion: out of memory (Java heap space): ")
                .contains("--batch 1", "-Xmx")
                .hasLineCount(1);
        assertThat(failure(new StackOverflowError(), "fail"))
                .startsWith("diffusion: StackOverflowError; run again with --verbose")
                .hasLineCount(1);
        assertThat(failure(new OutOfMemoryError("Java heap space"), "fail", "--verbose"))
                .contains("at diffusion.cli.MainTest");
    }
}
