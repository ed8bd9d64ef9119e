package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.model.LatentModelParity;
import java.util.List;

class TornadoLatentModelParityTest extends LatentModelParity {
    private final Backend backend = new TornadoBackend();

    @Override
    protected Backend backend() {
        return backend;
    }

    /** Few, because a device's compiler takes its time. */
    @Override
    protected List<String> unets() {
        return List.of("sdxl", "upscaler");
    }

    @Override
    protected List<String> autoencoders() {
        return List.of("vae_sd", "vae_tiny_plain");
    }

    @Override
    protected List<String> texts() {
        return List.of("projection");
    }
}
