package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.PointOp.Function;
import diffusion.graph.PointOp.Gate;
import diffusion.graph.PointOp.GateGrad;
import diffusion.graph.Tensor;
import jdk.incubator.vector.FloatVector;

/** Gated units; parallel over rows. */
final class Gates {
    private Gates() {}

    static void forward(CpuEmitter out, Gate op) {
        int width = op.y().dim(-1);
        Function function = op.function();
        long x = out.address(op.x());
        long y = out.address(op.y());
        Pointwise.rows(out, rows(op.y()), row -> {
            long a = x + 2L * row * width * Float.BYTES;
            long b = a + (long) width * Float.BYTES;
            long to = y + (long) row * width * Float.BYTES;
            int whole = width / LANES * LANES;
            Functions.run(function, b, to, (long) whole * Float.BYTES);
            for (int i = 0; i < whole; i += LANES) {
                store(to + 4L * i, load(to + 4L * i).mul(load(a + 4L * i)));
            }
            if (whole < width) {
                var mask = Reductions.mask(width - whole);
                FloatVector gate = Functions.apply(function, load(b + 4L * whole, mask));
                store(to + 4L * whole, load(a + 4L * whole, mask).mul(gate), mask);
            }
        });
    }

    static void gradient(CpuEmitter out, GateGrad op) {
        int width = op.dy().dim(-1);
        Function function = op.function();
        long x = out.address(op.x());
        long dy = out.address(op.dy());
        long dx = out.address(op.dx());
        Pointwise.rows(out, rows(op.dy()), row -> {
            long first = 2L * row * width * Float.BYTES;
            long second = first + (long) width * Float.BYTES;
            long from = dy + (long) row * width * Float.BYTES;
            for (int i = 0; i < width; i += LANES) {
                var mask = Reductions.mask(width - i);
                FloatVector d = load(from + 4L * i, mask);
                FloatVector a = load(x + first + 4L * i, mask);
                FloatVector b = load(x + second + 4L * i, mask);
                store(dx + first + 4L * i, d.mul(Functions.apply(function, b)), mask);
                store(dx + second + 4L * i, d.mul(a).mul(Functions.slope(function, b)), mask);
            }
        });
    }

    private static int rows(Tensor tensor) {
        return tensor.size() / tensor.dim(-1);
    }
}
