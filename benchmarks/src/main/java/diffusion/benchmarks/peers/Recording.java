package diffusion.benchmarks.peers;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Program;
import diffusion.graph.Gradients;
import diffusion.graph.Graph;
import diffusion.graph.Parameters;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.GlobalNorm;
import diffusion.graph.TrainOp.Loss;
import diffusion.graph.TrainOp.Optimizer;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.model.AutoencoderKL;
import diffusion.model.CLIPTextModel;
import diffusion.model.DenoisingModel;
import diffusion.model.Models;
import diffusion.model.UNet2DConditionConfig;
import diffusion.model.UNet2DConditionModel;
import diffusion.nn.Conv2d;
import diffusion.nn.GroupNorm;
import diffusion.nn.Linear;
import diffusion.nn.ResnetBlock2D;
import diffusion.nn.Scope;
import diffusion.nn.Transformer2DModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.ObjIntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A row as a graph.
 *
 * @param inputs by name
 * @param parameters by the names in the row's weights
 * @param beforeRun writes what changes from run to run, the first being 1
 */
record Recording(
        Graph graph,
        Map<String, Tensor> inputs,
        Parameters parameters,
        Tensor output,
        ObjIntConsumer<Program> beforeRun) {
    private static final int GROUPS = 32;
    private static final float EPS = 1e-5f;

    /** Records a row for inputs of these shapes. */
    static Recording of(Row row, Map<String, Row.Values> values) {
        Graph g = new Graph(row.name());
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        values.forEach((name, value) -> inputs.put(name, g.input(name, value.shape())));
        if (row.kind() == Row.Kind.TRAIN) {
            return training(row, g, inputs);
        }
        Builder builder = new Builder(g, inputs, row);
        Tensor output = g.output(builder.build());
        return new Recording(g, inputs, Objects.requireNonNull(builder.parameters), output, (_, _) -> {});
    }

    private static final class Builder {
        private final Graph g;
        private final Map<String, Tensor> inputs;
        private final Row row;
        private @Nullable Parameters parameters;

        Builder(Graph g, Map<String, Tensor> inputs, Row row) {
            this.g = g;
            this.inputs = inputs;
            this.row = row;
        }

        private Tensor in(String name) {
            Tensor tensor = inputs.get(name);
            if (tensor == null) {
                throw new DiffusionException(row.folder() + ": expected an input named " + name);
            }
            return tensor;
        }

        private int number(String key) {
            return row.model().path(key).asInt();
        }

        Tensor build() {
            String type = row.model().path("type").asText();
            return switch (type) {
                case "UNet2DModel", "UNet2DConditionModel", "AutoencoderKL", "CLIPTextModel" -> network(type);
                default -> {
                    parameters = new Parameters();
                    yield layer(type, Scope.root(parameters));
                }
            };
        }

        private Tensor network(String type) {
            Path path = row.folder().resolve("config.json");
            JsonNode config = Json.read(path);
            String source = path.toString();
            return switch (type) {
                case "UNet2DModel" -> {
                    DenoisingModel model = Models.fromConfig(config, source);
                    parameters = model.parameters();
                    yield model.apply(g, in("sample"), in("timestep"), null);
                }
                case "UNet2DConditionModel" -> {
                    UNet2DConditionModel model = new UNet2DConditionModel(UNet2DConditionConfig.read(config, source));
                    parameters = model.parameters();
                    yield model.apply(
                            g,
                            in("sample"),
                            in("timestep"),
                            new UNet2DConditionModel.Conditioning(
                                    in("context"), null, inputs.get("text_embeds"), inputs.get("time_ids"), null));
                }
                case "AutoencoderKL" -> {
                    AutoencoderKL model = new AutoencoderKL(AutoencoderKL.Config.read(config, source));
                    parameters = model.parameters();
                    yield model.decode(g, in("latent"));
                }
                default -> {
                    CLIPTextModel model = new CLIPTextModel(CLIPTextModel.Config.read(config, source));
                    parameters = model.parameters();
                    Tensor ids = in("ids");
                    Tensor flat = g.reshape(ids, ids.size());
                    yield model.finalLayerNorm(
                            g, model.hiddenStates(g, flat, ids.dim(0)).getLast());
                }
            };
        }

        private Tensor layer(String type, Scope root) {
            return switch (type) {
                case "conv" -> {
                    int kernel = number("kernel");
                    Scope conv = root.child("conv");
                    diffusion.graph.MatrixOp.Window window = diffusion.graph.MatrixOp.Window.of(1, kernel / 2);
                    yield new Conv2d(conv, number("in"), number("out"), kernel, window).apply(g, in("x"));
                }
                case "linear" -> {
                    yield new Linear(root.child("linear"), number("in"), number("out")).apply(g, in("x"));
                }
                case "norm_silu" -> {
                    yield new GroupNorm(root.child("norm"), GROUPS, number("channels"), EPS)
                            .apply(g, in("x"), Function.SILU);
                }
                case "attention" -> {
                    int heads = number("heads");
                    float scale = (float) (1 / Math.sqrt((double) in("q").dim(2) / heads));
                    yield g.attention(in("q"), in("k"), in("v"), heads, scale);
                }
                case "geglu" -> {
                    int c = number("channels");
                    Tensor h = new Linear(root.child("net.0.proj"), c, 8 * c).apply(g, in("x"));
                    yield new Linear(root.child("net.2"), 4 * c, c).apply(g, g.gate(h, Function.GELU));
                }
                case "resnet" -> {
                    ResnetBlock2D.Options options =
                            new ResnetBlock2D.Options(number("temb"), GROUPS, EPS, Function.SILU, false, 0);
                    yield new ResnetBlock2D(root, number("in"), number("out"), options, ResnetBlock2D.Resample.NONE, 1)
                            .apply(g, in("x"), in("temb"));
                }
                case "upsample" -> {
                    int c = number("channels");
                    yield Conv2d.same3x3(root.child("conv"), c, c).apply(g, g.upsample(in("x"), 2, 2));
                }
                case "transformer" -> {
                    yield new Transformer2DModel(
                                    root,
                                    number("channels"),
                                    number("heads"),
                                    1,
                                    number("context"),
                                    GROUPS,
                                    false,
                                    false)
                            .apply(g, in("x"), in("context"));
                }
                default ->
                    throw new DiffusionException(row.folder().resolve("row.json")
                            + ": expected a known type of layer, found " + type + "; write the row anew");
            };
        }
    }

    /** Mean squared error, all gradients, clipping to norm 1 and AdamW, as in peer_training.py. */
    private static Recording training(Row row, Graph g, Map<String, Tensor> inputs) {
        Path path = row.folder().resolve("config.json");
        DenoisingModel model = Models.fromConfig(Json.read(path), path.toString());
        Tensor sample = Objects.requireNonNull(inputs.get("sample"));
        Tensor times = Objects.requireNonNull(inputs.get("timestep"));
        Tensor prediction = model.apply(g, sample, times, inputs.get("labels"));
        Tensor target = Objects.requireNonNull(inputs.get("target"));
        Tensor loss = g.output(g.activation("loss", 1));
        Tensor weight = g.fill(1, sample.dim(0));
        g.append(new Loss(prediction, target, weight, loss, Distance.L2, 0));
        Map<Tensor, Tensor> gradients =
                Gradients.append(g, loss, List.copyOf(model.parameters().all()));
        Tensor norm = g.activation("norm", 1);
        g.append(new GlobalNorm(new ArrayList<>(gradients.values()), norm));
        Tensor hyper = g.input("hyper", OptimizerStep.HYPER_SIZE);
        gradients.forEach((parameter, gradient) -> g.append(new OptimizerStep(
                parameter,
                gradient,
                g.state("m." + parameter.name(), parameter.shape()),
                g.state("v." + parameter.name(), parameter.shape()),
                norm,
                hyper,
                Optimizer.ADAMW)));
        return new Recording(g, inputs, model.parameters(), loss, (program, run) -> program.write(hyper, hyper(run)));
    }

    private static float[] hyper(int run) {
        double beta1 = 0.9;
        double beta2 = 0.999;
        float[] hyper = new float[OptimizerStep.HYPER_SIZE];
        hyper[OptimizerStep.LR] = 1e-3f;
        hyper[OptimizerStep.BETA1] = (float) beta1;
        hyper[OptimizerStep.BETA2] = (float) beta2;
        hyper[OptimizerStep.EPS] = 1e-8f;
        hyper[OptimizerStep.DECAY] = 0.01f;
        hyper[OptimizerStep.CORRECTION1] = (float) (1 - Math.pow(beta1, run));
        hyper[OptimizerStep.CORRECTION2] = (float) (1 - Math.pow(beta2, run));
        hyper[OptimizerStep.GRAD_SCALE] = 1;
        hyper[OptimizerStep.MAX_NORM] = 1;
        return hyper;
    }
}
