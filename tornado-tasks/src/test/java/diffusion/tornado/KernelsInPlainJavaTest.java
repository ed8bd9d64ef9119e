package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.backend.BackendConformance;
import diffusion.backend.MemoryPlan;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import uk.ac.manchester.tornado.api.common.TaskPackage;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** The same kernels and places as on a device, run as ordinary Java: what they compute, apart from how it is compiled. */
class KernelsInPlainJavaTest extends BackendConformance {
    private final Backend backend = new PlainJava();

    @Override
    protected Backend backend() {
        return backend;
    }

    private static final class PlainJava implements Backend {
        @Override
        public String name() {
            return "plain";
        }

        @Override
        public String description() {
            return "TornadoVM's kernels without TornadoVM";
        }

        @Override
        public int priority() {
            return -1;
        }

        @Override
        public Program compile(List<Graph> graphs) {
            return new PlainProgram(graphs);
        }
    }

    private static final class PlainProgram implements Program {
        private final MemoryPlan plan;
        private final FloatArray mem;
        private final Map<Graph, List<TaskPackage>> tasks = new HashMap<>();
        private boolean closed;

        PlainProgram(List<Graph> graphs) {
            plan = new MemoryPlan(graphs);
            Places places = Places.measure(plan, graphs);
            mem = new FloatArray((int) places.floats());
            for (Graph graph : graphs) {
                tasks.put(graph, new TaskEmitter(mem, places::at, places).emit(graph.ops()));
            }
            places.tables().forEach((at, values) -> copy(values, at));
            graphs.forEach(graph -> graph.constants().forEach((tensor, values) -> {
                if (plan.contains(tensor)) {
                    write(tensor, values);
                }
            }));
        }

        private void copy(float[] values, int at) {
            for (int i = 0; i < values.length; i++) {
                mem.set(at + i, values[i]);
            }
        }

        @Override
        public void write(Tensor tensor, float[] values) {
            check(tensor, values.length);
            if (tensor.role() == Tensor.Role.ACTIVATION) {
                throw new IllegalArgumentException(tensor + " cannot be written");
            }
            copy(values, (int) plan.offset(tensor));
        }

        @Override
        public void read(Tensor tensor, float[] into) {
            check(tensor, into.length);
            int at = (int) plan.offset(tensor);
            for (int i = 0; i < into.length; i++) {
                into[i] = mem.get(at + i);
            }
        }

        @Override
        public void run(Graph graph) {
            if (closed) {
                throw new IllegalStateException("closed");
            }
            List<TaskPackage> calls = tasks.get(graph);
            if (calls == null) {
                throw new IllegalArgumentException("graph " + graph.name() + " was not compiled");
            }
            calls.forEach(PlainProgram::call);
        }

        private void check(Tensor tensor, int length) {
            if (closed) {
                throw new IllegalStateException("closed");
            }
            if (length != tensor.size()) {
                throw new IllegalArgumentException(tensor + " has " + tensor.size() + " elements");
            }
        }

        /** A task's parameters are its function and the function's arguments. */
        private static void call(TaskPackage task) {
            Object[] parameters = task.getTaskParameters();
            Object function = parameters[0];
            Method apply = Arrays.stream(function.getClass().getDeclaredMethods())
                    .filter(method -> method.getName().equals("apply"))
                    .findFirst()
                    .orElseThrow();
            apply.setAccessible(true);
            try {
                apply.invoke(function, Arrays.copyOfRange(parameters, 1, parameters.length));
            } catch (IllegalAccessException e) {
                throw new IllegalStateException(e);
            } catch (InvocationTargetException e) {
                throw new IllegalStateException(e.getCause());
            }
        }

        @Override
        public long memoryBytes() {
            return mem.getSize() * ValueLayout.JAVA_FLOAT.byteSize();
        }

        @Override
        public void close() {
            closed = true;
        }
    }
}
