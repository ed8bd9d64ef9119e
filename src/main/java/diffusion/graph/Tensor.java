package diffusion.graph;

import java.util.Arrays;

/**
 * A handle to a float32 tensor of a graph: a name, a shape and a role, but no memory.
 *
 * <p>Memory belongs to the backend that compiles the graph. Two tensors are equal only if they are the same object, so
 * graphs that mention the same handle share the tensor. Layout is row-major; pictures are [N, C, H, W].
 */
public final class Tensor {
    /** Who writes a tensor and how long its contents last. */
    public enum Role {
        /** Written by the host before a run. */
        INPUT,
        /** A weight: written by the host, updated by an optimiser op, shared by all graphs compiled together. */
        PARAMETER,
        /** Kept between runs and updated by ops: gradients, optimiser moments, the sample of a sampler. Starts at zero. */
        STATE,
        /** Written once per run by one op; its memory is reused as soon as its last reader has run. */
        ACTIVATION
    }

    private final String name;
    private final Role role;
    private final int[] shape;

    /** A handle; throws if a dimension is not positive or the tensor has more than 2^31 - 1 elements. */
    public Tensor(String name, Role role, int... shape) {
        this.name = name;
        this.role = role;
        this.shape = shape.clone();
        long size = 1;
        for (int dim : shape) {
            if (dim <= 0) {
                throw new ShapeException(name, "positive dimensions", Arrays.toString(shape));
            }
            size = Math.multiplyExact(size, dim);
        }
        if (size > Integer.MAX_VALUE) {
            throw new ShapeException(name, "at most 2147483647 elements", size + " of " + Arrays.toString(shape));
        }
    }

    /** The name: for parameters, the published checkpoint name. */
    public String name() {
        return name;
    }

    /** The role. */
    public Role role() {
        return role;
    }

    /** A copy of the shape. */
    public int[] shape() {
        return shape.clone();
    }

    /** The number of dimensions. */
    public int rank() {
        return shape.length;
    }

    /** Dimension {@code axis}; negative counts from the end. */
    public int dim(int axis) {
        return shape[axis < 0 ? shape.length + axis : axis];
    }

    /** The number of elements. */
    public int size() {
        return sizeFrom(0);
    }

    /** The product of the dimensions from {@code axis} on; 1 if there are none. */
    public int sizeFrom(int axis) {
        int size = 1;
        for (int i = axis; i < shape.length; i++) {
            size *= shape[i];
        }
        return size;
    }

    /** Whether the shapes are equal. */
    public boolean sameShape(Tensor other) {
        return Arrays.equals(shape, other.shape);
    }

    @Override
    public String toString() {
        return name + Arrays.toString(shape);
    }
}
