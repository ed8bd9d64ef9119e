/** The native engines that this project is measured beside. */
@NullMarked
package diffusion.benchmarks.natives;

import org.jspecify.annotations.NullMarked;
