package diffusion.pipeline;

import diffusion.scheduler.Scheduler;
import java.util.List;

/**
 * What is sampled: a network over states [batch, channels, height, width], its sampler and what leads it.
 *
 * @param scheduler planned before a run
 * @param guided whether the network is asked twice, with and without its condition (Ho and Salimans 2022)
 * @param rescale how much of guidance's change of spread is taken back, 0 for none; read only if guided
 * @param guides functions of the denoised states that gradients lead them by; empty for none
 * @param batch pictures made together, companions among them
 */
record Sampling(
        GuidedNetwork.Network network,
        Scheduler scheduler,
        boolean guided,
        double rescale,
        List<Guide> guides,
        int batch,
        int channels,
        int height,
        int width) {
    Sampling {
        guides = List.copyOf(guides);
    }

    /** Of states [N, C, H, W] that nothing but their condition leads. */
    static Sampling of(GuidedNetwork.Network network, Scheduler scheduler, boolean guided, int n, int c, int h, int w) {
        return new Sampling(network, scheduler, guided, 0, List.of(), n, c, h, w);
    }
}
