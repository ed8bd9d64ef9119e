package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.pipeline.TextToImageParity;

class CpuTextToImageParityTest extends TextToImageParity {
    private final Backend backend = new CpuBackend(2);

    @Override
    protected Backend backend() {
        return backend;
    }
}
