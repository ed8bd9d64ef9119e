package diffusion.train;

import diffusion.backend.Backend;
import diffusion.backend.reference.ReferenceBackend;

class ReferencePictureTermsTest extends PictureTermsParity {
    @Override
    protected Backend backend() {
        return new ReferenceBackend();
    }
}
