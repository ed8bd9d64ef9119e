package diffusion.scheduler;

import diffusion.io.DiffusionException;

/** The point sets texts on diffusion begin with, scaled to about unit variance. */
public enum PointData {
    /** A spiral in the plane. */
    SWISSROLL("swissroll"),
    /** Two interleaved half circles. */
    MOONS("moons"),
    /** Six Gaussians on a circle, of unequal weight. */
    MIXTURE("mixture"),
    /** Two Gaussians on the line. */
    LINE("1d");

    private final String label;

    PointData(String label) {
        this.label = label;
    }

    /** The set a user names. */
    public static PointData of(String name) {
        for (PointData data : values()) {
            if (data.label.equals(name)) {
                return data;
            }
        }
        throw new DiffusionException(
                "no point set is named \"" + name + "\"; expected swissroll, moons, mixture or 1d");
    }

    /** The name users type. */
    public String label() {
        return label;
    }

    /** 1 or 2. */
    public int dimension() {
        return this == LINE ? 1 : 2;
    }

    /** n points, [n, d]. */
    public double[] sample(int n, RandomSource random) {
        return switch (this) {
            case SWISSROLL -> swissRoll(n, random);
            case MOONS -> moons(n, random);
            case MIXTURE, LINE -> distribution(0, random).sample(n, random);
        };
    }

    /**
     * The distribution behind the points: exact for the mixtures, a kernel density estimate over {@code centres} drawn
     * points for the others.
     */
    public GaussianMixture distribution(int centres, RandomSource random) {
        return switch (this) {
            case SWISSROLL, MOONS -> GaussianMixture.around(sample(centres, random), 2, 0.05);
            case LINE ->
                new GaussianMixture(
                        new double[] {0.35, 0.65}, new double[][] {{-1.4}, {0.8}}, new double[] {0.2, 0.35});
            case MIXTURE -> ring();
        };
    }

    private static GaussianMixture ring() {
        double[] weights = {1, 2, 1, 2, 1, 2};
        double[][] means = new double[6][];
        for (int k = 0; k < 6; k++) {
            means[k] = new double[] {1.5 * Math.cos(k * Math.PI / 3), 1.5 * Math.sin(k * Math.PI / 3)};
        }
        return new GaussianMixture(weights, means, new double[] {0.12, 0.12, 0.12, 0.12, 0.12, 0.12});
    }

    private static double[] swissRoll(int n, RandomSource random) {
        float[] u = new float[n];
        float[] z = new float[2 * n];
        random.uniform(u);
        random.normal(z);
        double[] x = new double[2 * n];
        for (int i = 0; i < n; i++) {
            double angle = 1.5 * Math.PI * (1 + 2 * u[i]);
            double radius = angle / (4.5 * Math.PI) * 1.9;
            x[2 * i] = radius * Math.cos(angle) + 0.04 * z[2 * i];
            x[2 * i + 1] = radius * Math.sin(angle) + 0.04 * z[2 * i + 1];
        }
        return x;
    }

    private static double[] moons(int n, RandomSource random) {
        float[] u = new float[n];
        float[] z = new float[2 * n];
        random.uniform(u);
        random.normal(z);
        double[] x = new double[2 * n];
        for (int i = 0; i < n; i++) {
            boolean lower = i % 2 == 1;
            double angle = Math.PI * u[i];
            x[2 * i] = 1.1 * (lower ? 0.5 - Math.cos(angle) : Math.cos(angle) - 0.5) + 0.06 * z[2 * i];
            x[2 * i + 1] = 1.1 * (lower ? 0.25 - Math.sin(angle) : Math.sin(angle) - 0.25) + 0.06 * z[2 * i + 1];
        }
        return x;
    }
}
