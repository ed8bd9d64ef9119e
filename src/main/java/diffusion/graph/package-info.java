/** The static graph a model is recorded into: tensors, ops, gradients. */
@NullMarked
package diffusion.graph;

import org.jspecify.annotations.NullMarked;
