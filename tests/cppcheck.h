/*
 * cppcheck.h: what cppcheck cannot read by itself: macros of libraries, in a plain form. For make
 * lint alone.
 */
#define HASH_ITER(handle, head, element, next)                                                     \
	for ((element) = (head), (next) = (element)->handle.next; (element);                       \
		(element) = (next), (next) = (element)->handle.next)
#define json_array_foreach(array, index, value)                                                    \
	for ((index) = 0;                                                                          \
		(index) < json_array_size(array) && ((value) = json_array_get(array, index));      \
		(index)++)
#define json_object_foreach(object, key, value)                                                    \
	for ((key) = first_key(object); (key) && ((value) = value_of(key));                        \
		(key) = next_key(object, key))
#define LIST_HEAD(name, type)                                                                      \
	struct name {                                                                              \
		struct type *lh_first;                                                             \
	}
#define LIST_ENTRY(type)                                                                           \
	struct {                                                                                   \
		struct type *le_next;                                                              \
		struct type **le_prev;                                                             \
	}
#define LIST_FOREACH(element, head, field)                                                         \
	for ((element) = (head)->lh_first; (element); (element) = (element)->field.le_next)
#define TAILQ_HEAD(name, type)                                                                     \
	struct name {                                                                              \
		struct type *tqh_first;                                                            \
		struct type **tqh_last;                                                            \
	}
#define TAILQ_ENTRY(type)                                                                          \
	struct {                                                                                   \
		struct type *tqe_next;                                                             \
		struct type **tqe_prev;                                                            \
	}
#define TAILQ_FOREACH(element, head, field)                                                        \
	for ((element) = (head)->tqh_first; (element); (element) = (element)->field.tqe_next)
