package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.train.PictureTermsParity;

class CpuPictureTermsTest extends PictureTermsParity {
    @Override
    protected Backend backend() {
        return new CpuBackend(2);
    }
}
