package diffusion.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.CrossEntropy;
import diffusion.graph.TrainOp.CrossEntropyGrad;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Loss;
import diffusion.graph.TrainOp.LossGrad;
import diffusion.graph.TrainOp.Optimizer;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.model.Golden;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Losses and optimisers with the options people train with, against PyTorch in float. */
public abstract class TrainOpParity {
    /** Some units in the last place: both sides round after every operation. */
    private static final double TOLERANCE = 2e-6;

    private static final Golden OPTIMIZERS = Golden.read("optimizers");
    private static final Golden LOSSES = Golden.read("losses");

    /** The backend under test. */
    protected abstract Backend backend();

    @ParameterizedTest
    @CsvSource({
        "sgd, SGD",
        "sgd_momentum, SGD",
        "sgd_nesterov, SGD_NESTEROV",
        "adam, ADAM",
        "adam_l2, ADAM",
        "adamw, ADAMW",
        "rmsprop, RMSPROP",
        "rmsprop_momentum, RMSPROP"
    })
    void optimizersFollowTorch(String name, Optimizer rule) {
        OpRunner ops = new OpRunner(backend());
        JsonNode options = OPTIMIZERS.facts().path("optimizers").path(name);
        int[] shape = OPTIMIZERS.shape("start");
        float[] start = OPTIMIZERS.floats("start");
        Tensor w = ops.state(shape, start);
        Tensor grad = ops.state(shape, start);
        Tensor m = ops.state(shape, new float[start.length]);
        Tensor v = ops.state(shape, new float[start.length]);
        for (int step = 1; step <= OPTIMIZERS.shape(name)[0]; step++) {
            ops.set(grad, step("gradients", step, start.length));
            Tensor hyper = ops.in(hyper(options, rule, step));
            ops.run(new OptimizerStep(w, grad, m, v, ops.in(Float.NaN), hyper, rule));
            Golden.assertClose(name + ", step " + step, ops.get(w), step(name, step, start.length), TOLERANCE);
        }
    }

    private static float[] step(String name, int step, int size) {
        return Arrays.copyOfRange(OPTIMIZERS.floats(name), (step - 1) * size, step * size);
    }

    private static float[] hyper(JsonNode options, Optimizer rule, int step) {
        assertThat(options.path("lr").isNumber()).isTrue();
        boolean adam = rule == Optimizer.ADAM || rule == Optimizer.ADAMW;
        double beta1 = adam
                ? options.path("betas").path(0).doubleValue()
                : options.path("momentum").doubleValue();
        double beta2 = adam
                ? options.path("betas").path(1).doubleValue()
                : options.path("alpha").doubleValue();
        float[] hyper = new float[OptimizerStep.HYPER_SIZE];
        hyper[OptimizerStep.LR] = options.path("lr").floatValue();
        hyper[OptimizerStep.BETA1] = (float) beta1;
        hyper[OptimizerStep.BETA2] = (float) beta2;
        hyper[OptimizerStep.EPS] = options.path("eps").floatValue();
        hyper[OptimizerStep.DECAY] = options.path("weight_decay").floatValue();
        hyper[OptimizerStep.CORRECTION1] = (float) (1 - Math.pow(beta1, step));
        hyper[OptimizerStep.CORRECTION2] = (float) (1 - Math.pow(beta2, step));
        hyper[OptimizerStep.GRAD_SCALE] = 1;
        return hyper;
    }

    @ParameterizedTest
    @CsvSource({
        "mse, L2, 0, 1",
        "l1, L1, 0, 1",
        "huber_0.5, HUBER, 0.5, 1",
        "smooth_l1_0.7, HUBER, 0.7, 0.7" // torch divides by beta
    })
    void lossesFollowTorch(String name, Distance distance, float delta, float divisor) {
        OpRunner ops = new OpRunner(backend());
        int[] shape = LOSSES.shape("predicted");
        Tensor x = ops.in(shape, LOSSES.floats("predicted"));
        Tensor target = ops.in(shape, LOSSES.floats("target"));
        Tensor weight = ops.in(1 / divisor, 1 / divisor);
        Tensor y = ops.out(1);
        Tensor dx = ops.out(shape);
        ops.run(new Loss(x, target, weight, y, distance, delta));
        ops.run(new LossGrad(x, target, weight, ops.in(1), dx, distance, delta));
        check(name, ops.get(y)[0], ops.get(dx));
    }

    @Test
    void crossEntropyFollowsTorch() {
        OpRunner ops = new OpRunner(backend());
        int[] shape = LOSSES.shape("logits");
        Tensor x = ops.in(shape, LOSSES.floats("logits"));
        float[] labels = new float[shape[0]];
        for (int n = 0; n < labels.length; n++) {
            labels[n] = LOSSES.facts().path("labels").path(n).floatValue();
        }
        Tensor y = ops.out(1);
        Tensor dx = ops.out(shape);
        ops.run(new CrossEntropy(x, ops.in(labels), y));
        ops.run(new CrossEntropyGrad(x, ops.in(labels), ops.in(1), dx));
        check("cross_entropy", ops.get(y)[0], ops.get(dx));
    }

    private static void check(String name, float value, float[] gradient) {
        double expected = LOSSES.facts().path("values").path(name).doubleValue();
        assertThat((double) value).as(name).isCloseTo(expected, offset(TOLERANCE * expected));
        Golden.assertClose(name, gradient, LOSSES.floats("gradient." + name), TOLERANCE);
    }
}
