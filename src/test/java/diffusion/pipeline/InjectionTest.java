package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.io.DiffusionException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which layers a style is injected into, and where the result starts. */
class InjectionTest {
    private static Parameters weights(String... layers) {
        Parameters parameters = new Parameters();
        for (String layer : layers) {
            parameters.declare(layer + ".to_q.weight", new Init.Constant(0), 1, 1);
        }
        parameters.declare("up_blocks.3.resnets.0.conv1.weight", new Init.Constant(0), 1, 1, 3, 3);
        return parameters;
    }

    private static Injection inLayers(String... layers) {
        return new Injection(0.75, 1.5, 1, true, List.of(layers));
    }

    @Test
    void theLaterHalfOfTheWayUpIsTakenAsThePaperDoes() {
        String block = ".attentions.0.transformer_blocks.0.";
        Parameters sd = weights(
                "down_blocks.2" + block + "attn1",
                "mid_block" + block + "attn1",
                "up_blocks.1" + block + "attn1",
                "up_blocks.2" + block + "attn1",
                "up_blocks.2" + block + "attn2",
                "up_blocks.3" + block + "attn1");
        assertThat(inLayers().rule(sd, 3).layers())
                .containsExactlyInAnyOrder("up_blocks.2" + block + "attn1", "up_blocks.3" + block + "attn1");
        assertThat(inLayers().rule(sd, 3).states()).isEqualTo(5);
        assertThat(inLayers("mid", "up_blocks.1").rule(sd, 1).layers())
                .containsExactlyInAnyOrder("mid_block" + block + "attn1", "up_blocks.1" + block + "attn1");
        assertThatThrownBy(() -> inLayers("top").rule(sd, 1))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContainingAll("--layers", "up_blocks.2", "top");
    }

    @Test
    void whereTheLaterHalfHasNoneTheRestIsTaken() {
        Parameters low = weights("down_blocks.2.attentions.0", "up_blocks.0.attentions.0", "up_blocks.0.attentions.1");
        assertThat(inLayers().rule(low, 1).layers())
                .containsExactlyInAnyOrder("up_blocks.0.attentions.0", "up_blocks.0.attentions.1");
        Parameters middle = weights("mid_block.attentions.0");
        assertThat(inLayers().rule(middle, 1).layers()).containsExactly("mid_block.attentions.0");
        assertThatThrownBy(() -> inLayers().rule(weights(), 1))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContainingAll("self-attention", "--method moments");
    }

    @Test
    void theStartHasTheStylesMeansAndDeviations() {
        float[] content = {1, 3, 5, 7, 2, 2, 2, 2};
        float[] style = {-1, 1, -1, 1, 0, 4, 0, 4};
        float[] start = inLayers().start(content, style, 2);
        double unit = 1 / Math.sqrt(5);
        for (int i = 0; i < 4; i++) {
            assertThat((double) start[i]).isCloseTo((content[i] - 4) * unit, offset(1e-6));
        }
        assertThat(start).endsWith(2, 2, 2, 2); // a flat channel has no deviation to change
        assertThat(new Injection(0.75, 1.5, 1, false, List.of()).start(content, style, 2))
                .isEqualTo(content);
    }

    @Test
    void numbersOutOfRangeAreRefused() {
        for (Injection wrong : List.of(
                new Injection(1.1, 1.5, 1, true, List.of()),
                new Injection(0.5, 0, 1, true, List.of()),
                new Injection(0.5, 1.5, -0.1, true, List.of()))) {
            assertThatThrownBy(wrong::check)
                    .isInstanceOf(DiffusionException.class)
                    .hasMessageContainingAll("expected", "found");
        }
    }
}
