package diffusion.nn;

import diffusion.backend.Backend;
import diffusion.backend.reference.ReferenceBackend;

class ReferencePublishedLayersTest extends PublishedLayers {
    @Override
    protected Backend backend() {
        return new ReferenceBackend();
    }
}
