package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Arrays;

/** Which training timesteps a run of n steps visits (Lin et al. 2023, table 2), descending, rounded as NumPy rounds. */
final class Timesteps {
    private Timesteps() {}

    /** The n timesteps of a {@code timestep_spacing}; {@code offset} counts for leading alone, as in diffusers. */
    static int[] spaced(String spacing, int trainSteps, int n, int offset) {
        if (n < 1 || n > trainSteps) {
            throw new DiffusionException("found " + n + " inference steps, expected 1 to " + trainSteps
                    + " (the model's num_train_timesteps); change --steps");
        }
        int[] timesteps = switch (spacing) {
            case "leading" -> leading(trainSteps, n, offset);
            case "linspace" -> linspace(trainSteps, n);
            case "trailing" -> trailing(trainSteps, n);
            default ->
                throw new DiffusionException(
                        "found timestep_spacing \"" + spacing + "\", expected leading, linspace or trailing");
        };
        if (timesteps[0] >= trainSteps) {
            throw new DiffusionException("found timestep " + timesteps[0] + " for " + n
                    + " steps, expected below num_train_timesteps " + trainSteps
                    + "; reduce --steps or steps_offset");
        }
        return timesteps;
    }

    /** The same as float32 numbers that linspace does not round, as the samplers of k-diffusion have them. */
    static double[] continuous(String spacing, int trainSteps, int n, int offset) {
        double[] t = new double[n];
        if (spacing.equals("linspace")) {
            double step = n == 1 ? 0 : (trainSteps - 1.0) / (n - 1);
            for (int i = 0; i < n; i++) {
                t[n - 1 - i] = (float) (i == n - 1 && n > 1 ? trainSteps - 1.0 : i * step);
            }
            return t;
        }
        return Arrays.stream(spaced(spacing, trainSteps, n, offset))
                .asDoubleStream()
                .toArray();
    }

    /** The n timesteps of DPM-Solver and its kin: those of n + 1 without the last, except for trailing. */
    static int[] beforeLast(String spacing, int trainSteps, int n, int offset) {
        if (n < 1 || n >= trainSteps) {
            throw new DiffusionException("found " + n + " inference steps, expected 1 to " + (trainSteps - 1)
                    + " (below the model's num_train_timesteps); change --steps");
        }
        return spacing.equals("trailing")
                ? spaced(spacing, trainSteps, n, offset)
                : Arrays.copyOf(spaced(spacing, trainSteps, n + 1, offset), n);
    }

    private static int[] leading(int trainSteps, int n, int offset) {
        int[] t = new int[n];
        for (int i = 0; i < n; i++) {
            t[i] = (n - 1 - i) * (trainSteps / n) + offset;
        }
        return t;
    }

    private static int[] linspace(int trainSteps, int n) {
        int[] t = new int[n];
        double step = n == 1 ? 0 : (trainSteps - 1.0) / (n - 1);
        for (int i = 0; i < n; i++) {
            t[n - 1 - i] = (int) Math.rint(i == n - 1 && n > 1 ? trainSteps - 1.0 : i * step);
        }
        return t;
    }

    private static int[] trailing(int trainSteps, int n) {
        double ratio = (double) trainSteps / n;
        // As numpy.arange does, which, where trainSteps / ratio rounds to above n, also has a timestep -1: no level of
        // noise.
        double increment = trainSteps - ratio - trainSteps;
        int[] t = new int[n];
        for (int i = 0; i < n; i++) {
            t[i] = (int) Math.rint(trainSteps + i * increment) - 1;
        }
        return t;
    }

    /** Checks timesteps a user gave: descending and within the schedule. */
    static int[] custom(int[] timesteps, int trainSteps) {
        if (timesteps.length == 0) {
            throw new DiffusionException("found no timesteps, expected at least one");
        }
        for (int i = 1; i < timesteps.length; i++) {
            if (timesteps[i] >= timesteps[i - 1]) {
                throw new DiffusionException("found timesteps " + Arrays.toString(timesteps)
                        + ", expected them in descending order; " + timesteps[i] + " comes after "
                        + timesteps[i - 1]);
            }
        }
        if (timesteps[0] >= trainSteps || timesteps[timesteps.length - 1] < 0) {
            throw new DiffusionException(
                    "found timesteps " + Arrays.toString(timesteps) + ", expected them from 0 to " + (trainSteps - 1));
        }
        return timesteps.clone();
    }
}
