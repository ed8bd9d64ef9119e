package diffusion.model;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The networks of latent diffusion against diffusers' and transformers' on one backend. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class LatentModelParity {
    private static final double TOLERANCE = 1e-5;

    /** The backend under test. */
    protected abstract Backend backend();

    /** UNet2DConditionModel configurations to try, each in a file of reference outputs. */
    protected List<String> unets() {
        return List.of(
                "sd1",
                "sd2",
                "sdxl",
                "lcm",
                "inpaint",
                "upscaler",
                "class_projection",
                "class_timestep",
                "lists",
                "no_mid_block",
                "odd_7x11");
    }

    /** AutoencoderKL, AutoencoderTiny and VQModel configurations to try. */
    protected List<String> autoencoders() {
        return List.of(
                "vae_sd", "vae_no_quant", "vae_no_attention", "vae_tiny_plain", "vae_tiny_other", "vq_ldm", "vq_dim");
    }

    /** CLIPTextModel configurations to try. */
    protected List<String> texts() {
        return List.of("clip", "old_end", "projection");
    }

    @ParameterizedTest
    @MethodSource("unets")
    void unetAgrees(String name) {
        Golden golden = Golden.read("unet_condition_" + name);
        UNet2DConditionModel model = new UNet2DConditionModel(
                UNet2DConditionConfig.read(golden.facts().path("config"), name));
        checkCount(golden, model.parameters());
        Graph graph = new Graph("unet");
        Map<String, Tensor> in = new LinkedHashMap<>();
        for (String tensor : golden.tensors().keySet()) {
            if (!tensor.equals("output")) {
                in.put(tensor, graph.input(tensor, golden.shape(tensor)));
            }
        }
        Tensor output = graph.output(model.apply(
                graph,
                Objects.requireNonNull(in.get("sample")),
                Objects.requireNonNull(in.get("timestep")),
                new UNet2DConditionModel.Conditioning(
                        Objects.requireNonNull(in.get("context")),
                        in.get("class_labels"),
                        in.get("text_embeds"),
                        in.get("time_ids"),
                        in.get("timestep_cond"))));
        check(golden, graph, model.parameters(), in, Map.of("output", output));
    }

    @ParameterizedTest
    @MethodSource("autoencoders")
    void autoencoderAgrees(String name) {
        Golden golden = Golden.read(name);
        Autoencoder model =
                Autoencoder.Config.read(golden.facts().path("config"), name).model();
        checkCount(golden, model.parameters());
        Graph graph = new Graph("vae");
        Tensor image = graph.input("image", golden.shape("image"));
        Tensor latent = graph.input("latent", golden.shape("latent"));
        Tensor moments = graph.output(model.encode(graph, image));
        Tensor decoded = graph.output(model.decode(graph, latent));
        check(
                golden,
                graph,
                model.parameters(),
                Map.of("image", image, model instanceof VQModel ? "quantized" : "latent", latent),
                Map.of("moments", moments, "decoded", decoded));
    }

    @ParameterizedTest
    @MethodSource("texts")
    void textEncoderAgrees(String name) {
        Golden golden = Golden.read("text_" + name);
        CLIPTextModel model =
                new CLIPTextModel(CLIPTextModel.Config.read(golden.facts().path("config"), name));
        checkCount(golden, model.parameters());
        int[] shape = golden.shape("ids");
        Graph graph = new Graph("text");
        Tensor ids = graph.input("ids", shape[0] * shape[1]);
        float[] ends = new float[shape[0]];
        for (int n = 0; n < shape[0]; n++) {
            int[] row = new int[shape[1]];
            for (int i = 0; i < row.length; i++) {
                row[i] = (int) golden.floats("ids")[n * row.length + i];
            }
            ends[n] = n * row.length + model.endOf(row);
        }
        Tensor end = graph.constant("end", ends, ends.length);
        List<Tensor> states = model.hiddenStates(graph, ids, shape[0]);
        Tensor last = model.finalLayerNorm(graph, states.getLast());
        Map<String, Tensor> outputs = Map.of(
                "first",
                states.getFirst(),
                "penultimate",
                states.get(states.size() - 2),
                "last",
                last,
                "pooled",
                model.pooled(graph, last, end));
        outputs.values().forEach(graph::output);
        check(golden, graph, model.parameters(), Map.of("ids", ids), outputs);
    }

    private static void checkCount(Golden golden, Parameters parameters) {
        assertThat(parameters.count())
                .isEqualTo(golden.facts().path("parameters").longValue());
    }

    private void check(
            Golden golden,
            Graph graph,
            Parameters parameters,
            Map<String, Tensor> inputs,
            Map<String, Tensor> outputs) {
        try (Program program = backend().compile(List.of(graph))) {
            Golden.weights(parameters.all()).forEach((tensor, values) -> {
                if (graph.tensors().contains(tensor)) {
                    program.write(tensor, values);
                }
            });
            inputs.forEach((name, tensor) -> program.write(tensor, golden.floats(name)));
            program.run(graph);
            outputs.forEach(
                    (name, tensor) -> Golden.assertClose(name, program.read(tensor), golden.floats(name), TOLERANCE));
        }
    }
}
