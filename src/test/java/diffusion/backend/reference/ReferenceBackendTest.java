package diffusion.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import diffusion.backend.Backend;
import diffusion.backend.OpRunner;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.LayoutOp;
import diffusion.graph.MatrixOp;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.PointOp;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import diffusion.graph.TrainOp.Distance;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

/** The reference backend, which judges the others, against values worked out by hand. */
class ReferenceBackendTest {
    private final OpRunner ops = new OpRunner(new ReferenceBackend());

    private static int[] shape(int... shape) {
        return shape;
    }

    @Test
    void isFoundAsAServiceAndChosenLast() {
        List<Backend> backends =
                ServiceLoader.load(Backend.class).stream().map(p -> p.get()).toList();
        assertThat(backends).anySatisfy(b -> assertThat(b.name()).isEqualTo("reference"));
        assertThat(backends)
                .allSatisfy(b -> assertThat(b.priority()).isGreaterThanOrEqualTo(new ReferenceBackend().priority()));
    }

    @Test
    void convolutionDoesNotFlipTheKernel() {
        Tensor x = ops.in(shape(1, 1, 3, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9);
        Tensor w = ops.in(shape(1, 1, 2, 2), 1, 10, 100, 1000);
        Tensor y = ops.out(1, 1, 2, 2);
        ops.run(new MatrixOp.Conv2d(x, w, ops.in(0.5f), y, Window.of(1, 0)));
        assertThat(ops.get(y)).containsExactly(5421.5f, 6532.5f, 8754.5f, 9865.5f);
    }

    @Test
    void paddingIsTopLeftBottomRight() {
        Tensor x = ops.in(shape(1, 1, 1, 1), 1);
        Tensor w = ops.in(shape(1, 1, 1, 1), 2);
        Tensor y = ops.out(1, 1, 4, 6);
        ops.run(new MatrixOp.Conv2d(x, w, null, y, new Window(1, 1, 2, 2, 3)));
        float[] expected = new float[24];
        expected[6 + 2] = 2;
        assertThat(ops.get(y)).containsExactly(expected);
    }

    @Test
    void gradientsOfWeightsAreAddedToWhatIsThere() {
        Tensor x = ops.in(shape(1, 1, 1, 2), 3, 5);
        Tensor dy = ops.in(shape(1, 1, 1, 2), 1, 2);
        Tensor dw = ops.state(shape(1, 1, 1, 1), 100);
        Tensor dBias = ops.state(shape(1), 1000);
        ops.run(new MatrixOp.Conv2dGradWeight(x, dy, dw, dBias, Window.of(1, 0)));
        assertThat(ops.get(dw)).containsExactly(113);
        assertThat(ops.get(dBias)).containsExactly(1003);
    }

    @Test
    void attentionWeighsByTheSoftmaxOfEachHead() {
        float log3 = (float) Math.log(3);
        Tensor q = ops.in(shape(1, 1, 2), 2, 0); // the second head looks at all alike
        Tensor k = ops.in(shape(1, 2, 2), log3, 7, 0, -7);
        Tensor v = ops.in(shape(1, 2, 2), 4, 1, 8, 3);
        Tensor y = ops.out(1, 1, 2);
        ops.run(new MatrixOp.Attention(q, k, v, y, 2, 0.5f));
        assertThat(ops.get(y)).containsExactly(new float[] {5, 2}, within(1e-6f)); // 3/4 of 4 and 1/4 of 8; the mean
    }

    @Test
    void groupNormUsesTheBiasedVarianceOfEachGroup() {
        Tensor x = ops.in(shape(1, 4, 1, 1), 1, 3, 10, 30);
        Tensor gamma = ops.in(1, 1, 2, 2);
        Tensor beta = ops.in(0, 0, 5, 5);
        Tensor y = ops.out(1, 4, 1, 1);
        ops.run(new PointOp.GroupNorm(x, gamma, beta, y, 2, 0, false));
        assertThat(ops.get(y)).containsExactly(-1, 1, 3, 7);
        ops.run(new PointOp.GroupNorm(x, gamma, beta, y, 2, 3, false));
        assertThat(ops.get(y)[1]).isEqualTo(0.5f); // 1 / sqrt(1 + 3)
    }

    @Test
    void modulationAddsOneToTheScale() {
        Tensor x = ops.in(shape(1, 2, 1, 2), 1, 2, 3, 4);
        Tensor y = ops.out(1, 2, 1, 2);
        ops.run(new PointOp.Modulate(x, ops.in(shape(1, 4), 1, 9, 100, 200), y));
        assertThat(ops.get(y)).containsExactly(102, 104, 230, 240);
    }

    @Test
    void combinationsHaveCoefficientsForAllOrForEachSample() {
        Tensor a = ops.in(shape(2, 2), 1, 2, 3, 4);
        Tensor b = ops.in(shape(2, 2), 10, 20, 30, 40);
        Tensor y = ops.out(2, 2);
        ops.run(new PointOp.LinearCombination(List.of(a, b), ops.in(2, -1), y));
        assertThat(ops.get(y)).containsExactly(-8, -16, -24, -32);
        ops.run(new PointOp.LinearCombination(List.of(a, b), ops.in(shape(2, 2), 1, 0, 0, 1), y));
        assertThat(ops.get(y)).containsExactly(1, 2, 30, 40);
    }

    @Test
    void dropoutKeepsItsShareAndTheMean() {
        int n = 100_000;
        float[] ones = new float[n];
        Arrays.fill(ones, 1);
        Tensor y = ops.out(n);
        ops.run(new PointOp.Dropout(ops.in(ones), ops.in(42), y, 1, 0.25f));
        float[] first = ops.get(y);
        double mean = 0;
        for (float value : first) {
            assertThat(value).isIn(0f, (float) (1 / 0.75));
            mean += value / n;
        }
        assertThat(mean).isCloseTo(1, within(0.01));
        ops.run(new PointOp.Dropout(ops.in(ones), ops.in(43), y, 1, 0.25f));
        assertThat(ops.get(y)).isNotEqualTo(first);
    }

    @Test
    void layoutOpsMoveElements() {
        Tensor x = ops.in(shape(1, 2, 3), 1, 2, 3, 4, 5, 6);
        Tensor turned = ops.out(1, 3, 2);
        Tensor joined = ops.out(1, 2, 5);
        Tensor part = ops.out(1, 2, 1);
        Tensor back = ops.out(1, 2, 4);
        ops.run(new LayoutOp.Transpose(x, turned));
        ops.run(new LayoutOp.Concat(List.of(x, ops.in(shape(1, 2, 2), 7, 8, 9, 10)), joined, 2));
        ops.run(new LayoutOp.Slice(x, part, 2, 1));
        ops.run(new LayoutOp.SliceGrad(ops.in(shape(1, 2, 1), 7, 8), back, 2, 3));
        assertThat(ops.get(turned)).containsExactly(1, 4, 2, 5, 3, 6);
        assertThat(ops.get(joined)).containsExactly(1, 2, 3, 7, 8, 4, 5, 6, 9, 10);
        assertThat(ops.get(part)).containsExactly(2, 5);
        assertThat(ops.get(back)).containsExactly(0, 0, 0, 7, 0, 0, 0, 8);
    }

    @Test
    void resamplingRepeatsAndAverages() {
        Tensor small = ops.in(shape(1, 1, 1, 2), 1, 2);
        Tensor large = ops.out(1, 1, 2, 6);
        ops.run(new LayoutOp.Upsample(small, large));
        assertThat(ops.get(large)).containsExactly(1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2);

        Tensor odd = ops.in(shape(1, 1, 2, 3), 1, 2, 99, 3, 4, 99); // the last column is left over
        Tensor pooled = ops.out(1, 1, 1, 1);
        Tensor gradient = ops.out(1, 1, 2, 3);
        ops.run(new LayoutOp.AvgPool(odd, pooled, 2, 2));
        ops.run(new LayoutOp.AvgPoolGrad(ops.in(shape(1, 1, 1, 1), 8), gradient, 2, 2));
        assertThat(ops.get(pooled)).containsExactly(2.5f);
        assertThat(ops.get(gradient)).containsExactly(2, 2, 0, 2, 2, 0);
    }

    @Test
    void timeEmbeddingsAreSinesThenCosinesUnlessFlipped() {
        Tensor t = ops.in((float) Math.E);
        Tensor y = ops.out(1, 3);
        ops.run(new LayoutOp.SinusoidalEmbedding(t, ops.in(0), y, false, false));
        assertThat(ops.get(y)).containsExactly(0, 1, 0);
        ops.run(new LayoutOp.SinusoidalEmbedding(t, ops.in((float) (Math.PI / 2)), y, true, true));
        assertThat(ops.get(y)).containsExactly(new float[] {0, 1, 0}, within(1e-6f));
    }

    @Test
    void indicesOutsideTheTableAreRefused() {
        Tensor table = ops.in(shape(3, 1), 1, 2, 3);
        for (float index : new float[] {-1, 3, Float.NaN}) {
            assertThatThrownBy(() -> ops.run(new LayoutOp.Embedding(ops.in(index), table, ops.out(1, 1))))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("is not in 0..2");
        }
    }

    @Test
    void lossesAreWeightedMeans() {
        Tensor x = ops.in(shape(2, 1), 3, 0.5f);
        Tensor target = ops.in(shape(2, 1), 0, 0);
        Tensor weight = ops.in(1, 8);
        Tensor y = ops.out(1);
        ops.run(new TrainOp.Loss(x, target, weight, y, Distance.L2, 0));
        assertThat(ops.get(y)).containsExactly(5.5f); // (9 + 8 / 4) / 2
        ops.run(new TrainOp.Loss(x, target, weight, y, Distance.L1, 0));
        assertThat(ops.get(y)).containsExactly(3.5f); // (3 + 8 / 2) / 2
        ops.run(new TrainOp.Loss(x, target, weight, y, Distance.HUBER, 1));
        assertThat(ops.get(y)).containsExactly(1.75f); // (3 - 1/2 + 8 / 8) / 2
    }

    @Test
    void anEvenGuessAmongEightClassesCostsThreeBits() {
        Tensor y = ops.out(1);
        ops.run(new TrainOp.CrossEntropy(ops.in(shape(2, 8), new float[16]), ops.in(0, 7), y));
        assertThat(ops.get(y)[0] / Math.log(2)).isCloseTo(3, within(1e-6));
    }

    @Test
    void theBoundIsZeroForTheTrueDistribution() {
        Tensor mean = ops.in(shape(1, 2), 0.3f, -0.2f);
        Tensor v = ops.in(shape(1, 2), 0, 0); // log variance -5, half way
        Tensor y = ops.out(1);
        ops.run(new TrainOp.VlbLoss(v, mean, mean, mean, ops.in(shape(1, 4), -5, -6, -4, 0), y));
        assertThat(ops.get(y)).containsExactly(0);
    }

    @Test
    void normsAndAveragesAreTaken() {
        Tensor norm = ops.out(1);
        ops.run(new TrainOp.GlobalNorm(List.of(ops.in(2, 4), ops.in(-4, 8)), norm));
        assertThat(ops.get(norm)).containsExactly(10);
        Tensor average = ops.state(shape(2), 1, 2);
        ops.run(new TrainOp.Ema(ops.in(5, -2), average, ops.in(0.75f)));
        assertThat(ops.get(average)).containsExactly(2, 1);
    }

    @Test
    void aSamplerStepPushesWhatWasBeforeIt() {
        float[] c = new float[SamplerStep.H + 2];
        c[SamplerStep.PX] = 2;
        c[SamplerStep.PM] = -1;
        c[SamplerStep.CLIP_MIN] = -1;
        c[SamplerStep.CLIP_MAX] = 1;
        c[SamplerStep.CX] = 10;
        c[SamplerStep.CM] = 100;
        c[SamplerStep.C0] = 1000;
        c[SamplerStep.NOISE] = 0.5f;
        c[SamplerStep.H] = 3;
        c[SamplerStep.H + 1] = 5;
        c[SamplerStep.PUSH] = 1;
        c[SamplerStep.EX] = 1;
        c[SamplerStep.EM] = 2;
        c[SamplerStep.E0] = 4;
        Tensor x = ops.state(shape(1, 1, 1, 2), 1, 0.25f);
        Tensor newest = ops.state(shape(1, 1, 1, 2), 7, 0);
        Tensor oldest = ops.state(shape(1, 1, 1, 2), 11, 0);
        Tensor m = ops.in(shape(1, 1, 1, 2), -3, 0);
        Tensor z = ops.in(shape(1, 1, 1, 2), 4, 0);
        Tensor x0 = ops.out(1, 1, 1, 2);
        ops.run(new SamplerStep(x, m, z, List.of(newest, oldest), ops.in(c), x0));
        assertThat(ops.get(x0)).containsExactly(1, 0.5f); // clip(2 + 3), 2 / 4
        assertThat(ops.get(x)).containsExactly(10 - 300 + 1000 + 21 + 55 + 2, 2.5f + 500);
        assertThat(ops.get(newest)).containsExactly(1 - 6 + 4, 0.25f + 2);
        assertThat(ops.get(oldest)).containsExactly(7, 0);
    }

    @Test
    void dynamicThresholdsDivideByTheQuantile() {
        float[] c = new float[SamplerStep.H];
        c[SamplerStep.PX] = 1;
        c[SamplerStep.THRESHOLD_RATIO] = 0.5f;
        c[SamplerStep.THRESHOLD_MAX] = 10;
        c[SamplerStep.C0] = 1;
        Tensor x = ops.state(shape(2, 1, 1, 4), 1, -2, 4, -8, 0.5f, 0.5f, 0, -2);
        Tensor m = ops.in(shape(2, 1, 1, 4), new float[8]);
        ops.run(new SamplerStep(x, m, m, List.of(), ops.in(c), null));
        float third = (float) (1 / 3.0);
        float twoThirds = (float) (2 / 3.0);
        // The medians of |x| are 3 and, raised to 1, 1/2.
        assertThat(ops.get(x)).containsExactly(third, -twoThirds, 1, -1, 0.5f, 0.5f, 0, -1);
    }

    @Test
    void learnedVariancesScaleTheNoise() {
        float[] c = new float[SamplerStep.H];
        c[SamplerStep.NOISE] = 2;
        c[SamplerStep.VARIANCE] = 1;
        Tensor m = ops.in(shape(1, 2, 1, 1), 0, 9);
        Tensor z = ops.in(shape(1, 1, 1, 1), 1);
        Tensor x = ops.state(shape(1, 1, 1, 1), 0);
        ops.run(new SamplerStep(x, m, z, List.of(), ops.in(c), null));
        assertThat(ops.get(x)).containsExactly(6); // 2 sqrt(9)
        c[SamplerStep.VARIANCE] = 2;
        c[SamplerStep.VAR_MIN] = 0;
        c[SamplerStep.VAR_MAX] = (float) Math.log(16);
        ops.set(m, 0, 1);
        ops.run(new SamplerStep(x, m, z, List.of(), ops.in(c), null));
        assertThat(ops.get(x)).containsExactly(new float[] {8}, within(1e-5f)); // 2 sqrt(16)
    }

    @Test
    void whatIsReadBeforeItIsWrittenShowsAsNaN() {
        Graph graph = new Graph("wrong order");
        Tensor x = graph.input("x", 1);
        Tensor late = graph.activation("late", 1);
        Tensor y = graph.output(graph.scale(late, 2));
        graph.append(new PointOp.Add(x, null, late, 1, 0));
        try (Program program = new ReferenceBackend().compile(List.of(graph))) {
            for (int run = 0; run < 2; run++) {
                program.run(graph);
                assertThat(program.read(y)).containsOnly(Float.NaN);
            }
        }
    }
}
