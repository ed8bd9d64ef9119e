package diffusion.report;

import diffusion.graph.Graph;
import diffusion.graph.Op;
import diffusion.graph.Tensor;
import java.lang.reflect.Constructor;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;

/** A graph's ops cut apart: each reads tensors of its own, so that it can be given the same input on every backend. */
final class Isolation {
    private final Graph graph;
    private final List<Map<Tensor, Tensor>> copies = new ArrayList<>();

    Isolation(Graph whole) {
        graph = new Graph(whole.name() + ", op by op");
        for (Op op : whole.ops()) {
            Map<Tensor, Tensor> own = new LinkedHashMap<>();
            op.writes().forEach(tensor -> own.put(tensor, copy(tensor)));
            op.reads().forEach(tensor -> own.computeIfAbsent(tensor, Isolation::input));
            graph.append(withTensors(op, tensor -> Objects.requireNonNull(own.get(tensor))));
            op.writes().forEach(tensor -> graph.output(Objects.requireNonNull(own.get(tensor))));
            copies.add(own);
        }
    }

    Graph graph() {
        return graph;
    }

    /** The tensors of the op at an index, and what stands for them here. */
    Map<Tensor, Tensor> copies(int index) {
        return copies.get(index);
    }

    private static Tensor copy(Tensor tensor) {
        Tensor.Role role = tensor.role() == Tensor.Role.ACTIVATION ? tensor.role() : Tensor.Role.STATE;
        return new Tensor(tensor.name(), role, tensor.shape());
    }

    private static Tensor input(Tensor tensor) {
        return new Tensor(tensor.name(), Tensor.Role.INPUT, tensor.shape());
    }

    /** The same op on other tensors; ops are records, so their components say all there is to say. */
    static Op withTensors(Op op, UnaryOperator<Tensor> replace) {
        RecordComponent[] components = op.getClass().getRecordComponents();
        Class<?>[] types = new Class<?>[components.length];
        Object[] values = new Object[components.length];
        try {
            for (int i = 0; i < components.length; i++) {
                types[i] = components[i].getType();
                Object value = components[i].getAccessor().invoke(op);
                values[i] = switch (value) {
                    case Tensor tensor -> replace.apply(tensor);
                    case List<?> list ->
                        list.stream()
                                .map(element -> replace.apply((Tensor) element))
                                .toList();
                    case null, default -> value;
                };
            }
            Constructor<? extends Op> constructor = op.getClass().getDeclaredConstructor(types);
            return constructor.newInstance(values);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(op + " is no plain record of tensors and numbers", e);
        }
    }
}
