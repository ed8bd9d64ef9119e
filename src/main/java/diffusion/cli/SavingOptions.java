package diffusion.cli;

import diffusion.io.DiffusionException;
import diffusion.pipeline.ImageGenerator;
import diffusion.pipeline.Saving;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How the model calls of a run are spent; at most one of these options. */
final class SavingOptions {
    private final List<String> given = new ArrayList<>();

    @Option(
            names = "--cache",
            paramLabel = "N",
            description =
                    "Go through all levels of a U-Net at every Nth step only, else through the topmost (DeepCache).")
    void cache(String value) {
        given.add("cache=" + value);
    }

    @Option(
            names = "--parallel",
            paramLabel = "N[:TOL]",
            description =
                    "Do N steps together until they change by less than TOL, 0.1 unless given (ParaDiGMS); ddim or ddpm.")
    void parallel(String value) {
        given.add("parallel=" + value);
    }

    @Option(
            names = "--adaptive",
            paramLabel = "TOL",
            description = "Steps as long as an error of TOL allows, such as 0.1, instead of --scheduler and --steps.")
    void adaptive(String value) {
        given.add("adaptive=" + value);
    }

    @Option(
            names = "--corrector",
            paramLabel = "N[:SNR]",
            description = "N calls of Langevin dynamics after each step, of signal-to-noise ratio 0.16 unless given.")
    void corrector(String value) {
        given.add("corrector=" + value);
    }

    @Option(
            names = "--stop",
            paramLabel = "TOL",
            description = "End as soon as the clean picture that the model sees changes by less than TOL a call.")
    void stop(String value) {
        given.add("stop=" + value);
    }

    @Option(
            names = "--jumps",
            paramLabel = "LENGTH[:TIMES]",
            description =
                    "Go back LENGTH steps by adding noise, so that each stretch is gone through TIMES times, 2 unless given.")
    void jumps(String value) {
        given.add("jumps=" + value);
    }

    @Option(
            names = "--metropolis",
            paramLabel = "N[:SIZE]",
            description =
                    "N jumps to more noise and back after each step, SIZE times its variance more, 0.1 unless given;"
                            + " taken or refused so that what is likely at that noise stays so (Metropolis and Hastings).")
    void metropolis(String value) {
        given.add("metropolis=" + value);
    }

    /** What was chosen, null for nothing; {@code sampler} says whether one was given too. */
    @Nullable
    Saving chosen(boolean sampler) {
        if (given.size() > 1) {
            throw new Main.UsageException(
                    "expected one of --cache, --parallel, --adaptive, --corrector, --stop, --jumps and --metropolis, found "
                            + String.join(" and ", given));
        }
        if (given.isEmpty()) {
            return null;
        }
        Saving saving;
        try {
            saving = Saving.parse(given.getFirst());
        } catch (DiffusionException e) {
            throw new Main.UsageException("--" + given.getFirst().replaceFirst("=.*", "") + ": " + e.getMessage());
        }
        if (sampler && !saving.usesSampler()) {
            throw new Main.UsageException("--adaptive has steps of its own; leave --scheduler out");
        }
        return saving;
    }

    /** Says what the chosen way took, where that is not told by the number of steps. */
    static void tell(@Nullable Saving saving, ImageGenerator.Effort effort) {
        if (saving != null && !(saving instanceof Saving.Cache)) {
            System.err.printf(
                    Locale.ROOT,
                    "%s: %.1f model calls a picture, %.1f runs of the network in turn a batch%s%n",
                    saving,
                    effort.calls(),
                    effort.passes(),
                    Double.isNaN(effort.accepted())
                            ? ""
                            : String.format(Locale.ROOT, ", %.0f %% of the jumps taken", 100 * effort.accepted()));
        }
    }

    /** Takes over what a file says, unless something was given. */
    void take(@Nullable String saving) {
        if (given.isEmpty() && saving != null) {
            given.add(saving);
        }
    }
}
