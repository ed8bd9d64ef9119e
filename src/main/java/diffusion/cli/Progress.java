package diffusion.cli;

import java.io.Console;
import java.util.function.IntConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Progress bars on a terminal; lines at long intervals elsewhere. */
final class Progress {
    private Progress() {}

    /** A bar with an estimate of the time left, on stderr. */
    @SuppressWarnings("SystemConsoleNull") // it may be null by its contract
    static ProgressBar bar(String task, long max) {
        Console console = System.console();
        boolean terminal = console != null && console.isTerminal();
        return new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(max)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(terminal ? 200 : 30_000)
                .showSpeed()
                .continuousUpdate()
                .build();
    }

    /** A bar that appears with its first step. */
    static final class Later implements IntConsumer, AutoCloseable {
        private final String task;
        private final long max;
        private @Nullable ProgressBar bar;

        Later(String task, long max) {
            this.task = task;
            this.max = max;
        }

        @Override
        public void accept(int steps) {
            if (bar == null) {
                bar = bar(task, max);
            }
            bar.stepBy(steps);
        }

        @Override
        public void close() {
            if (bar != null) {
                bar.close();
            }
        }
    }
}
