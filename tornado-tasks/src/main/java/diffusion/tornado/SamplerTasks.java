package diffusion.tornado;

import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import java.util.List;
import uk.ac.manchester.tornado.api.common.TaskPackage;

/** Tasks of a {@link SamplerStep}. */
final class SamplerTasks {
    private SamplerTasks() {}

    static void emit(TaskEmitter out, SamplerStep op) {
        int n = op.x().dim(0);
        int size = op.x().sizeFrom(1);
        int modelSize = op.m().sizeFrom(1);
        int c = out.at(op.c());
        int x = out.at(op.x());
        int m = out.at(op.m());
        int scratch = out.scratch().take(2 * n * size + 1);
        int x0 = op.x0Out() == null ? scratch : out.at(op.x0Out());
        int next = scratch + n * size;
        int length = next + n * size;
        int z = out.at(op.z());
        out.add(new TaskPackage(out.id("predict"), SamplerKernels::predict, out.mem, x, m, c, x0, n, size, modelSize));
        out.add(new TaskPackage(out.id("threshold"), SamplerKernels::threshold, out.mem, x0, c, n, size));
        out.add(new TaskPackage(
                out.id("langevin"), SamplerKernels::langevin, out.mem, m, z, c, length, n, size, modelSize));
        out.add(new TaskPackage(
                out.id("combine"), SamplerKernels::combine, out.mem, x, m, z, c, x0, length, next, n, size, modelSize));
        List<Tensor> history = op.history();
        for (int k = 0; k < history.size(); k++) {
            out.add(new TaskPackage(
                    out.id("addHistory"),
                    SamplerKernels::addHistory,
                    out.mem,
                    out.at(history.get(k)),
                    c,
                    next,
                    k,
                    n * size));
        }
        for (int k = history.size() - 1; k > 0; k--) {
            int newer = out.at(history.get(k - 1));
            out.add(new TaskPackage(
                    out.id("shift"), SamplerKernels::shift, out.mem, newer, out.at(history.get(k)), c, n * size));
        }
        if (!history.isEmpty()) {
            out.add(new TaskPackage(
                    out.id("push"),
                    SamplerKernels::push,
                    out.mem,
                    x,
                    m,
                    x0,
                    c,
                    out.at(history.getFirst()),
                    n,
                    size,
                    modelSize));
        }
        out.add(new TaskPackage(
                out.id("advance"), LayoutKernels::copy, out.mem, next, x, 1, n * size, n * size, n * size));
    }
}
