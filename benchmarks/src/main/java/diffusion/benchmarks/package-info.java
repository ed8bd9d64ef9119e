/** JMH benchmarks. */
@NullMarked
package diffusion.benchmarks;

import org.jspecify.annotations.NullMarked;
