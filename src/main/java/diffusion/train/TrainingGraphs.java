package diffusion.train;

import diffusion.graph.Gradients;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.Ema;
import diffusion.graph.TrainOp.GlobalNorm;
import diffusion.graph.TrainOp.Loss;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.graph.TrainOp.VlbLoss;
import diffusion.model.DenoisingModel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The two graphs of training: {@link #loss} adds a micro-batch's gradients up, {@link #update} applies them.
 *
 * <p>Noising is part of the graph: x_t and the model's target are combinations of the clean picture and the noise with one
 * pair of coefficients a sample, which the host knows from the timestep.
 */
final class TrainingGraphs {
    final Graph loss = new Graph("loss");
    final Graph update = new Graph("update");
    final Tensor clean; // [N, C, H, W]
    final Tensor noise; // [N, C, H, W]
    final Tensor mix; // [N, 2]: x_t of clean and noise
    final Tensor targetMix; // [N, 2]: the target of clean and noise
    final Tensor timestep; // [N]
    final @Nullable Tensor labels; // [N]
    final Tensor weight; // [N]
    final @Nullable Tensor dropoutSeed; // [1]
    final Tensor value; // [1]
    final @Nullable Vlb vlb;
    final Tensor norm; // [1]
    final Tensor hyper; // [OptimizerStep.HYPER_SIZE]
    final Tensor emaDecay; // [1]
    /** Everything a checkpoint must hold besides the weights, by name. */
    final Map<String, Tensor> states = new LinkedHashMap<>();

    /**
     * Inputs of the variational term.
     *
     * @param mean the model's posterior mean of [x_t, prediction]: [N, 2]
     * @param trueMean the posterior mean of [x_t, x0]: [N, 2]
     * @param variance see {@link VlbLoss}: [N, 4]
     */
    record Vlb(Tensor mean, Tensor trueMean, Tensor variance) {}

    /** The gradient of every trained weight; added to by {@link #loss}, cleared by {@link #update}. */
    final Map<Tensor, Tensor> gradients;

    TrainingGraphs(DenoisingModel model, DenoisingModel average, TrainConfig config, PictureTerms pictures) {
        int batch = config.batchSize();
        int[] shape = {batch, model.inChannels(), config.size(), config.size()};
        clean = loss.input("clean", shape);
        noise = loss.input("noise", shape);
        mix = loss.input("mix", batch, 2);
        targetMix = loss.input("target_mix", batch, 2);
        timestep = loss.input("timestep", batch);
        labels = model.classes() > 0 ? loss.input("class_labels", batch) : null;
        weight = loss.input("weight", batch);
        dropoutSeed = model.config().path("dropout").asDouble() > 0 ? loss.input("dropout_seed", 1) : null;
        if (dropoutSeed != null) {
            loss.withDropout(dropoutSeed);
        }
        Tensor noisy = loss.linearCombination(List.of(clean, noise), mix); // [N, C, H, W]
        Tensor target = loss.linearCombination(List.of(clean, noise), targetMix);
        Tensor output = model.apply(loss, noisy, timestep, labels); // [N, C or 2C, H, W]
        boolean learned = model.outChannels() == 2 * model.inChannels();
        Tensor prediction = learned ? loss.slice(output, 1, 0, model.inChannels()) : output;
        Tensor total = loss.activation("loss", 1);
        loss.append(new Loss(prediction, target, weight, total, config.loss(), (float) config.delta()));
        if (learned && config.vlbWeight() > 0) {
            vlb = new Vlb(
                    loss.input("model_mean", batch, 2),
                    loss.input("true_mean", batch, 2),
                    loss.input("variance", batch, 4));
            Tensor mean = loss.linearCombination(List.of(noisy, prediction), vlb.mean);
            Tensor trueMean = loss.linearCombination(List.of(noisy, clean), vlb.trueMean);
            Tensor v = loss.slice(output, 1, model.inChannels(), model.inChannels());
            Tensor bound = loss.activation("vlb", 1);
            loss.append(new VlbLoss(v, trueMean, mean, clean, vlb.variance, bound));
            total = loss.add(total, bound, 1, (float) config.vlbWeight());
        } else {
            vlb = null;
        }
        total = pictures.append(loss, noisy, prediction, clean, total);
        value = loss.output(total);

        List<Tensor> trained = model.parameters().all().stream()
                .filter(parameter -> !parameter.name().equals("time_proj.weight"))
                .toList();
        gradients = Gradients.append(loss, total, trained);
        norm = update.output(update.activation("norm", 1));
        update.append(new GlobalNorm(new ArrayList<>(gradients.values()), norm));
        hyper = update.input("hyper", OptimizerStep.HYPER_SIZE);
        emaDecay = update.input("ema_decay", 1);
        gradients.forEach((parameter, gradient) -> {
            Tensor m = update.state("optimizer.m." + parameter.name(), parameter.shape());
            Tensor v = update.state("optimizer.v." + parameter.name(), parameter.shape());
            update.append(new OptimizerStep(parameter, gradient, m, v, norm, hyper, config.optimizer()));
            states.put(m.name(), m);
            states.put(v.name(), v);
        });
        for (Tensor parameter : model.parameters().all()) {
            Tensor ema = Objects.requireNonNull(average.parameters().find(parameter.name()));
            update.append(new Ema(parameter, ema, emaDecay));
            states.put("ema." + parameter.name(), ema);
        }
    }
}
