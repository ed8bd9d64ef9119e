/** How a graph is computed: the interface every backend implements, and the memory plan they share. */
@NullMarked
package diffusion.backend;

import org.jspecify.annotations.NullMarked;
