package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.nn.PublishedLayers;

class CpuPublishedLayersTest extends PublishedLayers {
    @Override
    protected Backend backend() {
        return new CpuBackend(2);
    }
}
