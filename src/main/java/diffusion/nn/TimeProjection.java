package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.LayoutOp.Embedding;
import diffusion.graph.Parameters.Init;
import diffusion.graph.PointOp.Add;
import diffusion.graph.Tensor;

/** How a timestep becomes features: the choices of UNet2DModel's time_embedding_type. */
public sealed interface TimeProjection {
    /** t[N] to [N, {@link #size}]. */
    Tensor apply(Graph g, Tensor t);

    /** Features per timestep. */
    int size();

    /** Sines and cosines of geometrically spaced frequencies, as diffusers' Timesteps (Vaswani et al. 2017, 3.5). */
    record Positional(int size, boolean flipSinToCos, float freqShift) implements TimeProjection {
        @Override
        public Tensor apply(Graph g, Tensor t) {
            int half = size / 2;
            float[] frequencies = new float[half];
            for (int i = 0; i < half; i++) {
                // In float32 throughout, as the published models were trained.
                float exponent = (float) -Math.log(10000) * i / (half - freqShift);
                frequencies[i] = (float) Math.exp(exponent);
            }
            Tensor f = g.constant("time_proj.frequencies", frequencies, half);
            return g.sinusoidalEmbedding(t, f, size, flipSinToCos, false);
        }
    }

    /** Sines and cosines of log t times random frequencies, as diffusers' GaussianFourierProjection (Song et al. 2021). */
    record Fourier(Tensor weight, boolean flipSinToCos) implements TimeProjection {
        /** Declares the frequencies, {@code size / 2} of them. */
        public static Fourier declare(Scope scope, int size, boolean flipSinToCos) {
            return new Fourier(scope.declare("weight", new Init.Normal(16), size / 2), flipSinToCos);
        }

        @Override
        public int size() {
            return 2 * weight.size();
        }

        @Override
        public Tensor apply(Graph g, Tensor t) {
            Tensor f = g.activation("time_proj.frequencies", weight.shape());
            g.append(new Add(weight, null, f, (float) (2 * Math.PI), 0));
            return g.sinusoidalEmbedding(t, f, size(), flipSinToCos, true);
        }
    }

    /** A row of a table for each timestep, as torch.nn.Embedding. */
    record Learned(Tensor weight) implements TimeProjection {
        /** Declares the table. */
        public static Learned declare(Scope scope, int timesteps, int size) {
            return new Learned(scope.declare("weight", new Init.Normal(1), timesteps, size));
        }

        @Override
        public int size() {
            return weight.dim(1);
        }

        @Override
        public Tensor apply(Graph g, Tensor t) {
            Tensor y = g.activation("time_proj", t.dim(0), size());
            g.append(new Embedding(t, weight, y));
            return y;
        }
    }
}
