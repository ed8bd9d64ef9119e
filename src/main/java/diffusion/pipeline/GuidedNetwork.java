package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.model.DeepFeatures;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A network as a sampler calls it: with classifier-free guidance where there is any (Ho and Salimans 2022). */
final class GuidedNetwork {
    /** The network as the loops see it. */
    interface Network {
        /**
         * Records it; what else it reads are inputs of its own, which its maker writes before a run. Recorded again, it reads
         * the same.
         *
         * @param x [R, C, H, W], R twice the batch with guidance: first without the condition, then with it
         * @param timestep [R]
         * @param deep what a full run keeps for shallow ones; null for full runs alone
         * @return [R, C, H, W], or twice the channels where the variance is learned
         */
        Tensor apply(Graph g, Tensor x, Tensor timestep, @Nullable DeepFeatures deep);
    }

    private final Network network;
    private final int states;
    private final int companions;
    private final double rescale;
    private final Tensor timestep; // [N], or [2N] with guidance
    private final @Nullable Tensor guidance; // [2], or [N, 2] with companions: 1 - g and g

    /**
     * The network of what is sampled, for so many states; its inputs are made by {@code g}.
     *
     * @param companions how many of them, the last ones, follow their condition alone
     */
    GuidedNetwork(Sampling sampling, Graph g, int states, int companions) {
        network = sampling.network();
        rescale = sampling.rescale();
        this.states = states;
        timestep = g.input("timestep", sampling.guided() ? 2 * states : states);
        this.companions = companions;
        guidance =
                !sampling.guided() ? null : companions == 0 ? g.input("guidance", 2) : g.input("guidance", states, 2);
    }

    /** Records what it answers to x [N, C, H, W], of the same shape or of twice the channels. */
    Tensor apply(Graph g, Tensor x, @Nullable DeepFeatures deep) {
        if (guidance == null) {
            return network.apply(g, x, timestep, deep);
        }
        Tensor twice = g.concat(List.of(x, x), 0); // [2N, C, H, W]: without the condition, with it
        Tensor m = network.apply(g, twice, timestep, deep);
        Tensor conditional = g.slice(m, 0, states, states);
        Tensor guided = g.linearCombination(List.of(g.slice(m, 0, 0, states), conditional), guidance);
        return rescale == 0 ? guided : GuidanceRescale.apply(g, guided, conditional, rescale);
    }

    /** Writes the guidance scale; 1 follows the condition alone. */
    void writeGuidance(Program program, double scale) {
        if (guidance != null) {
            float[] shares = new float[guidance.size()];
            for (int i = 0; i < shares.length; i += 2) {
                double own = companions > 0 && i / 2 >= states - companions ? 1 : scale;
                shares[i] = (float) (1 - own);
                shares[i + 1] = (float) own;
            }
            program.write(guidance, shares);
        }
    }

    /** Writes the timesteps, one for all states or one for each. */
    void writeTimesteps(Program program, double... timesteps) {
        float[] t = new float[timestep.size()];
        for (int row = 0; row < t.length; row++) {
            t[row] = (float) (timesteps.length == 1 ? timesteps[0] : timesteps[row % states]);
        }
        program.write(timestep, t);
    }

    /** Writes the class of every state, where the network follows classes. */
    void writeClasses(Program program, int[] classes) {
        if (network instanceof ClassNetwork own) {
            own.write(program, classes);
        }
    }
}
