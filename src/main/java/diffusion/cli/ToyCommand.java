package diffusion.cli;

import diffusion.io.DiffusionException;
import diffusion.io.Images;
import diffusion.pipeline.PointPlots;
import diffusion.pipeline.PointPlots.Direction;
import diffusion.pipeline.PointPlots.Panel;
import diffusion.scheduler.GaussianMixture;
import diffusion.scheduler.LinearDiffusion;
import diffusion.scheduler.LinearDiffusion.Moments;
import diffusion.scheduler.PointData;
import diffusion.scheduler.PointDiffusion;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code diffusion toy}: diffuses points on a line or a plane and brings them back with the exact denoiser. */
@Command(
        mixinStandardHelpOptions = true,
        description = "Diffuse points on a line or plane and bring them back, with the exact denoiser; draw both.")
public final class ToyCommand implements Callable<Integer> {
    private static final int POINTS = 1500;
    private static final int CENTRES = 500;
    private static final int PANELS = 6;
    private static final int LINEAR_STEPS = 50;
    private static final double BETA = 0.04;

    /** Angle in radians by which the multivariate process turns the points at every step. */
    private static final double TURN = 0.12;

    @Option(
            names = "--kind",
            defaultValue = "swissroll",
            description = "swissroll, moons, mixture or 1d (default: ${DEFAULT-VALUE})")
    private String kind = "swissroll";

    @Option(names = "--scheduler", defaultValue = "ddpm", description = "ddpm or ddim (default: ${DEFAULT-VALUE})")
    private String scheduler = "ddpm";

    @Option(names = "--steps", defaultValue = "100", description = "reverse steps (default: ${DEFAULT-VALUE})")
    private int steps = 100;

    @Option(names = "--seed", defaultValue = "0", description = "seed of all randomness (default: ${DEFAULT-VALUE})")
    private long seed;

    @Option(names = "--rng", defaultValue = "torch", description = "torch or cuda (default: ${DEFAULT-VALUE})")
    private String rng = "torch";

    @Option(names = "--out", defaultValue = "toy.png", description = "PNG to write (default: ${DEFAULT-VALUE})")
    private Path out = Path.of("toy.png");

    @Override
    public Integer call() {
        Targets.requirePicture("--out", out);
        PointData data = PointData.of(kind);
        RandomSource random = RandomSource.of(rng, seed);
        SchedulerConfig defaults = SchedulerConfig.defaults("DDPMScheduler").with("clip_sample", false);
        Scheduler sampler = SchedulerFactory.requireSampler(SchedulerFactory.byName(scheduler, defaults));
        sampler.setTimesteps(steps);
        if (steps < PANELS - 1) {
            throw new DiffusionException(
                    "found --steps " + steps + ", expected at least " + (PANELS - 1) + " to draw that many panels");
        }
        GaussianMixture distribution = data.distribution(CENTRES, random);
        PointDiffusion diffusion = new PointDiffusion(distribution, sampler);
        PointDiffusion.Path path = diffusion.reverse(POINTS, random);
        double[] x0 = data.sample(POINTS, random);
        List<List<Panel>> rows =
                List.of(linear(data, x0, random), forward(x0, diffusion, random), reverse(sampler, path));
        Images.writePng(out, PointPlots.draw(distribution, rows), Map.of());
        return 0;
    }

    /** x_t = A x_{t-1} + z with A = sqrt(1 - beta) times a rotation, and the moments theory says. */
    private static List<Panel> linear(PointData data, double[] x0, RandomSource random) {
        int d = data.dimension();
        double root = Math.sqrt(1 - BETA);
        double[][] a = d == 1
                ? new double[][] {{root}}
                : new double[][] {
                    {root * Math.cos(TURN), -root * Math.sin(TURN)}, {root * Math.sin(TURN), root * Math.cos(TURN)}
                };
        LinearDiffusion process = new LinearDiffusion(a, Math.sqrt(BETA));
        Moments start = Moments.of(x0, d);
        List<Panel> panels = new ArrayList<>();
        double[] x = x0;
        int t = 0;
        for (int p = 0; p < PANELS; p++) {
            for (; t < LINEAR_STEPS * p * p / ((PANELS - 1) * (PANELS - 1)); t++) {
                x = process.step(x, random);
            }
            String title = "x(t) = A x(t-1) + z, t = " + t;
            panels.add(new Panel(title, x, Math.pow(1 - BETA, t), Direction.LINEAR, process.moments(start, t)));
        }
        return panels;
    }

    private static List<Panel> forward(double[] x0, PointDiffusion diffusion, RandomSource random) {
        List<Panel> panels = new ArrayList<>(List.of(new Panel("data", x0, 1, Direction.FORWARD)));
        int last = diffusion.scheduler().noise().length() - 1;
        for (int p = 1; p < PANELS; p++) {
            // squared, because most of the change happens early
            int t = (int) Math.round(last * Math.pow((double) p / (PANELS - 1), 2));
            double alphaBar = diffusion.scheduler().noise().alphaBar(t);
            double[] x = diffusion.forward(x0, t, random);
            panels.add(new Panel("forward, t = " + t, x, alphaBar, Direction.FORWARD));
        }
        return panels;
    }

    private static List<Panel> reverse(Scheduler sampler, PointDiffusion.Path path) {
        List<Panel> panels = new ArrayList<>();
        int steps = path.states().size() - 1;
        String name = sampler.config().className().replace("Scheduler", "").toLowerCase(Locale.ROOT);
        for (int p = 0; p < PANELS; p++) {
            int done = (int) Math.round(steps * (1 - Math.pow(1 - (double) p / (PANELS - 1), 2)));
            String title = p == 0 ? "noise" : name + ", step " + done + " of " + steps;
            panels.add(
                    new Panel(title, path.states().get(done), path.alphaBars().get(done), Direction.REVERSE));
        }
        return panels;
    }
}
