package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** Models by the class name of their configuration. */
public final class Models {
    private Models() {}

    /** The model a config.json describes, without weights. */
    public static DenoisingModel fromConfig(JsonNode json, String source) {
        String name = json.path("_class_name").asText("UNet2DModel");
        return switch (name) {
            case "UNet2DModel" -> new UNet2DModel(UNet2DConfig.read(json, source));
            case "ConvDenoiser" -> new ConvDenoiser(ConvDenoiser.Config.read(json, source));
            default ->
                throw new DiffusionException(
                        source + ": expected _class_name UNet2DModel or ConvDenoiser, found \"" + name + "\"");
        };
    }

    /** Where fresh weights come from. */
    public interface RandomSource {
        /** Fills with numbers uniform on [0, 1). */
        void uniform(float[] values);

        /** Fills with standard normal numbers. */
        void normal(float[] values);

        /** A source made of two functions. */
        static RandomSource of(Consumer<float[]> uniform, Consumer<float[]> normal) {
            return new RandomSource() {
                @Override
                public void uniform(float[] values) {
                    uniform.accept(values);
                }

                @Override
                public void normal(float[] values) {
                    normal.accept(values);
                }
            };
        }
    }

    /** Draws every weight as its layer declares it, in the order of declaration. */
    public static void initialize(Parameters parameters, RandomSource random, BiConsumer<Tensor, float[]> write) {
        for (Tensor parameter : parameters.all()) {
            float[] values = new float[parameter.size()];
            switch (parameters.init(parameter)) {
                case Init.Constant(float value) -> java.util.Arrays.fill(values, value);
                case Init.Uniform(float bound) -> scaled(values, random::uniform, 2 * bound, -bound);
                case Init.Normal(float std) -> scaled(values, random::normal, std, 0);
            }
            write.accept(parameter, values);
        }
    }

    private static void scaled(float[] values, Consumer<float[]> draw, float scale, float shift) {
        draw.accept(values);
        for (int i = 0; i < values.length; i++) {
            values[i] = values[i] * scale + shift;
        }
    }
}
