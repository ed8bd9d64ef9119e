package diffusion.tornado;

import diffusion.backend.Backend.Peak;
import diffusion.backend.BackendException;
import java.util.function.Function;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** What a device reaches with portable kernels: multiply-adds in registers, and copies. */
final class PeakKernels {
    private static final int ITEMS = 1 << 16;
    private static final int COPIED = 1 << 24;
    private static final int TURNS = 5;
    private static final double LONG_ENOUGH = 0.02;

    private PeakKernels() {}

    /** Eight sums of {@code loops} products each; parallel over items. */
    static void multiplyAdd(FloatArray values, int items, int loops) {
        for (@Parallel int i = 0; i < items; i++) {
            float a = values.get(i);
            float b = a + 0.5f;
            float s0 = a;
            float s1 = a + 1;
            float s2 = a + 2;
            float s3 = a + 3;
            float s4 = a + 4;
            float s5 = a + 5;
            float s6 = a + 6;
            float s7 = a + 7;
            for (int j = 0; j < loops; j++) {
                s0 = s0 * a + b;
                s1 = s1 * a + b;
                s2 = s2 * a + b;
                s3 = s3 * a + b;
                s4 = s4 * a + b;
                s5 = s5 * a + b;
                s6 = s6 * a + b;
                s7 = s7 * a + b;
            }
            values.set(i, s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
        }
    }

    /** The second half becomes the first; parallel over elements. */
    static void copy(FloatArray values, int count) {
        for (@Parallel int i = 0; i < count; i++) {
            values.set(count + i, values.get(i));
        }
    }

    static Peak measure(TornadoDevice device) {
        double flops = 0;
        double seconds = 0;
        for (int loops = 512; seconds < LONG_ENOUGH && loops <= 1 << 21; loops *= 4) {
            int times = loops;
            seconds = fewestSeconds(
                    device,
                    ITEMS,
                    values -> new TaskGraph("peak" + times)
                            .transferToDevice(DataTransferMode.FIRST_EXECUTION, values)
                            .task("fma", PeakKernels::multiplyAdd, values, ITEMS, times));
            flops = 16.0 * ITEMS * loops / seconds;
        }
        double copy = fewestSeconds(
                device,
                2 * COPIED,
                values -> new TaskGraph("copy")
                        .transferToDevice(DataTransferMode.FIRST_EXECUTION, values)
                        .task("copy", PeakKernels::copy, values, COPIED));
        return new Peak(flops, 2.0 * Float.BYTES * COPIED / copy);
    }

    /** The fewest seconds of a few runs; the array stays on the device. */
    private static double fewestSeconds(TornadoDevice device, int floats, Function<FloatArray, TaskGraph> graph) {
        FloatArray values = new FloatArray(floats);
        TaskGraph tasks = graph.apply(values).persistOnDevice(values);
        try (TornadoExecutionPlan plan = new TornadoExecutionPlan(tasks.snapshot())) {
            plan.withDevice(device);
            plan.execute();
            double fewest = Double.MAX_VALUE;
            for (int i = 0; i < TURNS; i++) {
                long start = System.nanoTime();
                plan.execute();
                fewest = Math.min(fewest, (System.nanoTime() - start) / 1e9);
            }
            plan.freeDeviceMemory();
            return fewest;
        } catch (TornadoExecutionPlanException e) {
            throw new BackendException("the peak of " + Devices.describe(device) + " could not be measured: " + e, e);
        }
    }
}
