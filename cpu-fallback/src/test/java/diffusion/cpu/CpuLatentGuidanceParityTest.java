package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.pipeline.LatentGuidanceParity;

class CpuLatentGuidanceParityTest extends LatentGuidanceParity {
    private final Backend backend = new CpuBackend(2);

    @Override
    protected Backend backend() {
        return backend;
    }
}
