package diffusion.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchSamplerTest {
    private static List<Integer> take(BatchSampler sampler, int batches) {
        List<Integer> all = new ArrayList<>();
        for (int i = 0; i < batches; i++) {
            IntStream.of(sampler.next().indices()).forEach(all::add);
        }
        return all;
    }

    @Test
    void everyEpochIsAnotherPermutation() {
        BatchSampler sampler = new BatchSampler(100, 10, 7);
        List<Integer> first = take(sampler, 10);
        List<Integer> second = take(sampler, 10);
        List<Integer> sorted = IntStream.range(0, 100).boxed().toList();
        assertThat(first).containsExactlyInAnyOrderElementsOf(sorted).isNotEqualTo(sorted);
        assertThat(second).containsExactlyInAnyOrderElementsOf(sorted).isNotEqualTo(first);
        assertThat(take(new BatchSampler(100, 10, 8), 10)).isNotEqualTo(first);
    }

    @Test
    void twoNumbersRestoreTheOrder() {
        BatchSampler whole = new BatchSampler(25, 4, 3);
        for (int done = 0; done < 20; done++) {
            BatchSampler resumed = new BatchSampler(25, 4, 3);
            resumed.restore(whole.epoch(), whole.position());
            BatchSampler copy = new BatchSampler(25, 4, 3);
            take(copy, done);
            assertThat(take(resumed, 15)).isEqualTo(take(copy, 15));
            BatchSampler.Batch batch = whole.next();
            assertThat(batch.epoch()).isEqualTo(done / 6);
        }
    }

    @Test
    void impossibleSizesAreRefused() {
        assertThatThrownBy(() -> new BatchSampler(3, 4, 0)).isInstanceOf(DiffusionException.class);
        assertThatThrownBy(() -> new BatchSampler(3, 0, 0)).isInstanceOf(DiffusionException.class);
        assertThatThrownBy(() -> new BatchSampler(3, 1, 0).restore(0, 4)).isInstanceOf(DiffusionException.class);
    }
}
