package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.model.AutoencoderTiny;
import org.jspecify.annotations.Nullable;

/**
 * Latents as pictures while a run goes on: decoded, where the autoencoder is an AutoencoderTiny, else each latent as one pixel
 * by a linear fit of colours to latents of Stable Diffusion 1 and 2, or of XL (the factors are those of ComfyUI's
 * latent_formats).
 */
public final class LatentPreview implements AutoCloseable {
    private static final int CHANNELS = 4;
    private static final float[][] SD = {
        {0.3512f, 0.2297f, 0.3227f},
        {0.3250f, 0.4974f, 0.2350f},
        {-0.2829f, 0.1762f, 0.2721f},
        {-0.2120f, -0.2616f, -0.7177f}
    };
    private static final float[][] SDXL = {
        {0.3651f, 0.4232f, 0.4341f},
        {-0.2533f, -0.0042f, 0.1068f},
        {0.1076f, 0.1111f, -0.0362f},
        {-0.3165f, -0.2492f, -0.2188f}
    };
    private static final float[] NO_BIAS = {0, 0, 0};
    private static final float[] SDXL_BIAS = {0.1084f, -0.0175f, -0.0011f};

    private final Backend backend;
    private final StableDiffusionComponents components;
    private final int height;
    private final int width;
    private @Nullable LatentDecoder decoder;

    /** Previews of latents [C, height, width]; nothing is loaded before the first. */
    LatentPreview(Backend backend, StableDiffusionComponents components, int height, int width) {
        this.backend = backend;
        this.components = components;
        this.height = height;
        this.width = width;
    }

    /** One latent, scaled as the U-Net makes it. */
    Picture picture(float[] latent) {
        if (components.vae() instanceof AutoencoderTiny.Config tiny) {
            if (decoder == null) {
                decoder = new LatentDecoder(backend, tiny, components.vaeWeights(), height, width, false);
            }
            int factor = tiny.factor();
            return Picture.fromModel(
                    decoder.decodeScaled(latent), 0, tiny.outChannels(), height * factor, width * factor);
        }
        return colours(latent, components.isXL());
    }

    private Picture colours(float[] latent, boolean xl) {
        int plane = height * width;
        if (latent.length != CHANNELS * plane) {
            throw new DiffusionException("previews: expected latents of " + CHANNELS + " channels, found "
                    + latent.length / plane + "; give a tiny autoencoder with --vae, or no previews");
        }
        float[][] factors = xl ? SDXL : SD;
        float[] bias = xl ? SDXL_BIAS : NO_BIAS;
        float[] rgb = new float[3 * plane];
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < plane; i++) {
                float sum = bias[c];
                for (int k = 0; k < CHANNELS; k++) {
                    sum += factors[k][c] * latent[k * plane + i];
                }
                rgb[c * plane + i] = sum;
            }
        }
        return Picture.fromModel(rgb, 0, 3, height, width);
    }

    @Override
    public void close() {
        if (decoder != null) {
            decoder.close();
        }
    }
}
