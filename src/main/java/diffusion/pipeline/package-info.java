/** From a model and a scheduler to pictures. */
@NullMarked
package diffusion.pipeline;

import org.jspecify.annotations.NullMarked;
