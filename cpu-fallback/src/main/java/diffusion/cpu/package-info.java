/** The CPU backend: Vector API kernels over Panama memory. */
@NullMarked
package diffusion.cpu;

import org.jspecify.annotations.NullMarked;
