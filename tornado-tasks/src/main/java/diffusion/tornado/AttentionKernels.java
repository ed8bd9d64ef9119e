package diffusion.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Attention over q[n, queries, heads * size] and k, v[n, keys, heads * size], each at its place in {@code mem}.
 *
 * <p>If {@code causal} is 1, query i sees keys 0 to i only. No matrix of queries by keys is ever held: the running maximum and sum of one pass over the keys are the softmax's
 * denominator (Milakov and Gimelshein 2018), a second pass uses it.
 */
final class AttentionKernels {
    private AttentionKernels() {}

    /** scale * q_i . k_j of one head. */
    private static float score(FloatArray mem, int q, int k, int size, float scale) {
        float dot = 0;
        for (int d = 0; d < size; d++) {
            dot += mem.get(q + d) * mem.get(k + d);
        }
        return dot * scale;
    }

    /** The logarithm of each softmax's denominator, [n, heads, queries]; parallel over its elements. */
    static void denominators(
            FloatArray mem,
            int q,
            int k,
            int lse,
            int n,
            int heads,
            int queries,
            int keys,
            int size,
            float scale,
            int causal) {
        for (@Parallel int row = 0; row < n * heads * queries; row++) {
            int channels = heads * size;
            int last = causal == 1 ? row % queries + 1 : keys;
            int sample = row / queries / heads;
            int head = row / queries % heads * size;
            int query = q + (sample * queries + row % queries) * channels + head;
            float max = -3.4e38f;
            float sum = 0;
            for (int j = 0; j < last; j++) {
                float score = score(mem, query, k + (sample * keys + j) * channels + head, size, scale);
                float higher = TornadoMath.max(max, score);
                sum = sum * TornadoMath.exp(max - higher) + TornadoMath.exp(score - higher);
                max = higher;
            }
            mem.set(lse + row, max + TornadoMath.log(sum));
        }
    }

    /** y = softmax(scale q k^T) v; parallel over rows of y. */
    static void forward(
            FloatArray mem,
            int q,
            int k,
            int v,
            int y,
            int lse,
            int n,
            int heads,
            int queries,
            int keys,
            int size,
            float scale,
            int causal) {
        for (@Parallel int row = 0; row < n * heads * queries; row++) {
            int channels = heads * size;
            int last = causal == 1 ? row % queries + 1 : keys;
            int sample = row / queries / heads;
            int head = row / queries % heads * size;
            int place = (sample * queries + row % queries) * channels + head;
            for (int d = 0; d < size; d++) {
                mem.set(y + place + d, 0);
            }
            for (int j = 0; j < last; j++) {
                int key = (sample * keys + j) * channels + head;
                float p = TornadoMath.exp(score(mem, q + place, k + key, size, scale) - mem.get(lse + row));
                for (int d = 0; d < size; d++) {
                    mem.set(y + place + d, mem.get(y + place + d) + p * mem.get(v + key + d));
                }
            }
        }
    }

    /** delta = the sum over keys of p * dp, and dq; parallel over rows of dq. */
    static void gradQuery(
            FloatArray mem,
            int q,
            int k,
            int v,
            int dy,
            int dq,
            int lse,
            int delta,
            int n,
            int heads,
            int queries,
            int keys,
            int size,
            float scale,
            int causal) {
        for (@Parallel int row = 0; row < n * heads * queries; row++) {
            int channels = heads * size;
            int last = causal == 1 ? row % queries + 1 : keys;
            int sample = row / queries / heads;
            int head = row / queries % heads * size;
            int place = (sample * queries + row % queries) * channels + head;
            float mean = 0;
            for (int j = 0; j < last; j++) {
                int key = (sample * keys + j) * channels + head;
                float p = TornadoMath.exp(score(mem, q + place, k + key, size, scale) - mem.get(lse + row));
                mean += p * score(mem, dy + place, v + key, size, 1);
            }
            mem.set(delta + row, mean);
            for (int d = 0; d < size; d++) {
                mem.set(dq + place + d, 0);
            }
            for (int j = 0; j < last; j++) {
                int key = (sample * keys + j) * channels + head;
                float p = TornadoMath.exp(score(mem, q + place, k + key, size, scale) - mem.get(lse + row));
                float ds = p * (score(mem, dy + place, v + key, size, 1) - mean) * scale;
                for (int d = 0; d < size; d++) {
                    mem.set(dq + place + d, mem.get(dq + place + d) + ds * mem.get(k + key + d));
                }
            }
        }
    }

    /** dk and dv; parallel over their rows. */
    static void gradKeyValue(
            FloatArray mem,
            int q,
            int k,
            int v,
            int dy,
            int dk,
            int dv,
            int lse,
            int delta,
            int n,
            int heads,
            int queries,
            int keys,
            int size,
            float scale,
            int causal) {
        for (@Parallel int row = 0; row < n * heads * keys; row++) {
            int channels = heads * size;
            int sample = row / keys / heads;
            int h = row / keys % heads;
            int key = (sample * keys + row % keys) * channels + h * size;
            for (int d = 0; d < size; d++) {
                mem.set(dk + key + d, 0);
                mem.set(dv + key + d, 0);
            }
            int first = causal == 1 ? row % keys : 0;
            for (int i = first; i < queries; i++) {
                int place = (sample * queries + i) * channels + h * size;
                int at = (sample * heads + h) * queries + i;
                float p = TornadoMath.exp(score(mem, q + place, k + key, size, scale) - mem.get(lse + at));
                float ds = p * (score(mem, dy + place, v + key, size, 1) - mem.get(delta + at)) * scale;
                for (int d = 0; d < size; d++) {
                    mem.set(dv + key + d, mem.get(dv + key + d) + p * mem.get(dy + place + d));
                    mem.set(dk + key + d, mem.get(dk + key + d) + ds * mem.get(q + place + d));
                }
            }
        }
    }
}
