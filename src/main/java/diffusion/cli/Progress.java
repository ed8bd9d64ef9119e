package diffusion.cli;

import java.io.Console;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

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
}
